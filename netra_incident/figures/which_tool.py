"""Which tool would have seen it: tools by kinds of code, with how much of it each one found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes

from netra_incident.figures.style import (
    BROKEN,
    INK,
    MARGIN,
    QUIET,
    TEXT,
    WIDTH,
    WORKS,
    Picture,
    axes,
    canvas,
    look,
)

ROW = 0.27
"""Inches from one tool to the next."""

NAME_WIDTH, LAST_WIDTH = 1.95, 1.15


class Outcome(Protocol):
    """What a tool said of one kind of code."""

    @property
    def found(self) -> int:
        """How many superfluous awaits it found."""

    @property
    def says_why(self) -> bool:
        """Whether it told that it cannot see what is imported."""


class Row(Protocol):
    """A tool, with its version and its time in seconds, `None` if it is not installed."""

    @property
    def tool(self) -> str:
        """Its name."""

    @property
    def version(self) -> str | None:
        """Its version."""

    @property
    def seconds(self) -> float | None:
        """How long it took for all kinds of code."""

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """What it said of each kind."""


def _verdict(outcome: Outcome, of: int) -> tuple[str, str, str]:
    """Return the mark, the words and the colour of an outcome."""
    if outcome.found == of:
        return "o", f"{of} of {of}", WORKS
    if outcome.found:
        return "D", f"{outcome.found} of {of}", BROKEN
    if outcome.says_why:
        return "s", "says it cannot see", QUIET
    return "X", "nothing", BROKEN


def _draw(area: Axes, y: float, row: Row, of: int) -> None:
    area.text(0, y, row.tool, va="center", color=INK)
    middle = NAME_WIDTH
    step = (WIDTH - 2 * MARGIN - NAME_WIDTH - LAST_WIDTH) / max(1, len(row.outcomes))
    for place, outcome in enumerate(row.outcomes):
        mark, words, color = _verdict(outcome, of)
        x = middle + place * step
        face = color if mark != "s" else "white"
        area.plot([x], [y], mark, color=color, markersize=6, markerfacecolor=face)
        area.text(x + 0.12, y, words, va="center", color=color)
    last = "not installed"
    if row.version is not None and row.seconds is not None:
        last = f"{row.version}, {row.seconds:.1f} s"
    area.text(WIDTH - 2 * MARGIN, y, last, va="center", ha="right", color=QUIET)


def _title(rows: Sequence[Row], kinds: Sequence[str], of: int) -> str:
    installed = [row for row in rows if row.version is not None]
    seen = [sum(row.outcomes[at].found == of for row in installed) for at in range(len(kinds))]
    counts = [f"by {count} where {kind}" for kind, count in zip(kinds, seen, strict=True)]
    counts[0] = counts[0].replace(" where", f" of {len(installed)} tools where")
    return f"Seen {', '.join(counts)}"


@look()
def which_tool(rows: Sequence[Row], kinds: Sequence[str], of: int) -> Picture:
    """Draw a row for each tool and a column for each of `kinds`, in the order of the outcomes.

    `of` is how many superfluous awaits there are in each kind of code.
    """
    below = ROW * (len(rows) + 1) + 2 * MARGIN
    figure, top = canvas(
        _title(rows, kinds, of),
        f"superfluous awaits found, of {of} in each kind of code; version and time for all of it",
        below,
    )
    span = top - MARGIN
    area = axes(figure, MARGIN, MARGIN / 2, WIDTH - MARGIN, top - MARGIN / 2)
    area.set(xlim=(0, WIDTH - 2 * MARGIN), ylim=(0, span))
    area.axis("off")
    step = (WIDTH - 2 * MARGIN - NAME_WIDTH - LAST_WIDTH) / len(kinds)
    for place, kind in enumerate(kinds):
        x = NAME_WIDTH + place * step - 0.06
        area.text(x, span - ROW / 2, kind, va="center", weight="bold", size=TEXT)
    for number, row in enumerate(rows, 1):
        _draw(area, span - ROW * (number + 0.5), row, of)
    facts = []
    for row in rows:
        said = [
            f"{kind} {_verdict(one, of)[1]}" for kind, one in zip(kinds, row.outcomes, strict=False)
        ]
        facts.append(f"{row.tool}: {'; '.join(said) or 'not installed'}")
    alt = f"A table of tools by kinds of code. {'. '.join(facts)}."
    return Picture(figure, facts, alt)

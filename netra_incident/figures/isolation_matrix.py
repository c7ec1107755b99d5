"""The isolation matrix: who got whose events, and what an empty matrix does not prove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from netra_incident.figures.style import (
    BROKEN,
    CHARACTER,
    FAINT,
    INK,
    MARGIN,
    QUIET,
    WIDTH,
    WORKS,
    Picture,
    axes,
    canvas,
    look,
    plural,
    short,
)

Matrix = Mapping[str, Counter[str]]
"""How many events each recipient got, by their owner."""

BOTTOM, GAP = 0.6, 0.45
READABLE = 6
"""With more users than this, names and counts no longer fit into the cells and are left out."""


def leaks(matrix: Matrix) -> int:
    """Return how many events were received by others than their owner."""
    return sum(
        count
        for recipient, owners in matrix.items()
        for owner, count in owners.items()
        if owner != recipient
    )


def _judge(matrix: Matrix, recipients: Sequence[str]) -> tuple[str, str, str]:
    """Return what a panel does, its caption and its colour, from its counts alone."""
    served = sum(matrix.get(user, Counter())[user] > 0 for user in recipients)
    if leaked := leaks(matrix):
        return "leaks", f"a leak: {leaked} off\nthe diagonal", BROKEN
    if not served:
        return "delivers nothing", "all zero: absence,\nnot isolation", QUIET
    if left_out := len(recipients) - served:
        return "leaves users out", f"no leak, but {plural(left_out, 'user')}\ngot nothing", BROKEN
    return "isolates", "diagonal: each sees\nonly their own", WORKS


def _fact(name: str, matrix: Matrix, caption: str) -> str:
    if leaks(matrix):
        # How much leaks depends on who happened to listen when, so no two runs agree on it.
        return f"{name}: a leak: events off the diagonal"
    received = sum(got.total() for got in matrix.values())
    return f"{name}: {caption.replace(chr(10), ' ')}; {plural(received, 'event')}, 0 leaked"


def _cell(area: Axes, row: int, column: int, count: int, *, readable: bool) -> None:
    color, face, hatch = QUIET, "white", None
    if count and row == column:
        color, face = "white", WORKS
    elif count:
        # On hatching a number can only be read with a ground of its own.
        color, face, hatch = BROKEN, "white", "////"
    area.add_patch(
        Rectangle(
            (column, row),
            1,
            1,
            facecolor=face,
            edgecolor=BROKEN if hatch else FAINT,
            hatch=hatch,
            linewidth=0.8,
            zorder=2 if hatch else 1,
        )
    )
    if readable:
        area.text(
            column + 0.5,
            row + 0.5,
            str(count),
            color=color,
            weight="bold" if count else "normal",
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5} if hatch else None,
            zorder=3,
        )


class _Users(NamedTuple):
    """The users in the order of rows and columns, who only owns events last, and their names."""

    recipients: list[str]
    every: list[str]
    names: list[str]

    @classmethod
    def of(cls, panels: Mapping[str, Matrix]) -> _Users:
        recipients = list(dict.fromkeys(user for matrix in panels.values() for user in matrix))
        owners = {owner for matrix in panels.values() for got in matrix.values() for owner in got}
        every = recipients + sorted(owners.difference(recipients))
        readable = len(every) <= READABLE
        return cls(recipients, every, [short(user) for user in every] if readable else [])

    @property
    def name_width(self) -> float:
        return CHARACTER * max(map(len, self.names), default=0)


def _sides(users: _Users, top: float, panels: int) -> tuple[list[float], float]:
    """Return the left side of each panel, and the length of its sides, in inches."""
    left = MARGIN + 0.2 + users.name_width
    each = (WIDTH - MARGIN - left - GAP * (panels - 1)) / max(1, panels)
    side = min(each, top - 1.05 - (0.2 if users.names else 0))
    return [left + place * (each + GAP) for place in range(panels)], side


def _draw_cells(area: Axes, matrix: Matrix, users: _Users) -> None:
    for row, recipient in enumerate(users.every):
        for column, owner in enumerate(users.every):
            count = matrix.get(recipient, Counter())[owner]
            _cell(area, row, column, count, readable=bool(users.names))
    n = len(users.every)
    area.set(xlim=(0, n), ylim=(n, 0), aspect="equal")


def _name_users(area: Axes, users: _Users, side: float, *, first: bool) -> None:
    """Name the columns if the names fit, and the rows of the first panel."""
    middles = [index + 0.5 for index in range(len(users.names))]
    fits = users.name_width < side / max(1, len(users.every))
    unnamed = [""] * len(users.names)
    area.set_xticks(middles, users.names if fits else unnamed)
    area.set_yticks(middles, users.names if first else unnamed)
    area.spines["bottom"].set_visible(False)
    area.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)


def _label(area: Axes, name: str, caption: str, color: str, *, above_names: bool) -> None:
    area.annotate(
        name,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 20 if above_names else 5),
        textcoords="offset points",
        color=INK,
        weight="bold",
    )
    area.text(0, -0.06, caption, transform=area.transAxes, color=color, weight="bold", va="top")


@look()
def isolation_matrix(panels: Mapping[str, Matrix]) -> Picture:
    """Draw a matrix for each panel: rows receive, columns own.

    What a panel means is judged from its counts. A user who got nothing still has a row as soon
    as any panel knows them: an outage leaks nothing, and isolates nobody either.
    """
    users = _Users.of(panels)
    verdicts = {name: _judge(matrix, users.recipients) for name, matrix in panels.items()}
    title = ", ".join(f"{name} {does}" for name, (does, _, _) in verdicts.items())
    total = sum(got.total() for matrix in panels.values() for got in matrix.values())
    figure, top = canvas(
        title[:1].upper() + title[1:],
        "events by recipient (row) and owner (column, in the same order); "
        f"{plural(len(users.every), 'user')}, n = {total} events",
    )
    lefts, side = _sides(users, top, len(panels))
    facts = []
    for left, (name, matrix) in zip(lefts, panels.items(), strict=True):
        _, caption, color = verdicts[name]
        area = axes(figure, left, BOTTOM, left + side, BOTTOM + side)
        _draw_cells(area, matrix, users)
        _name_users(area, users, side, first=left == lefts[0])
        _label(area, name, caption, color, above_names=bool(users.names))
        facts.append(_fact(name, matrix, caption))
    alt = f"{len(panels)} matrices of recipient by owner. {'; '.join(facts)}."
    return Picture(figure, facts, alt)

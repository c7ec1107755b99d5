"""One word: the line before and after, and how far a connection gets because of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from netra_incident.figures.style import (
    BROKEN,
    CHARACTER,
    INK,
    MARGIN,
    MONOSPACE,
    MONOSPACE_ADVANCE,
    QUIET,
    TEXT,
    WIDTH,
    WORKS,
    Picture,
    canvas,
    drawing,
    look,
)

CODE_LEFT = 1.15
CODE_SIZE = 12.5

PADDING = 0.08
ARROW = 0.24
STEP_HEIGHT = 0.46


class Word(NamedTuple):
    """Where two lines differ: the word of the one, the word of the other, and its place."""

    start: int
    broken: str
    working: str


def _difference(broken: str, working: str) -> Word:
    """Return the one place where two lines differ, in whole words.

    Raises `ValueError` if they are the same, or differ in several places.
    """
    ours, theirs = (re.findall(r"\w+\s*|\W", line) for line in (broken, working))
    changes = [
        change
        for change in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
        if change[0] != "equal"
    ]
    if len(changes) != 1:
        msg = f"expected one difference between {broken!r} and {working!r}, got {len(changes)}"
        raise ValueError(msg)
    _, start, stop, other_start, other_stop = changes[0]
    return Word(
        len("".join(ours[:start])),
        "".join(ours[start:stop]).strip(),
        "".join(theirs[other_start:other_stop]).strip(),
    )


def _say(word: Word, raised: str) -> tuple[str, str, str]:
    """Return the title, and a label for the place in either line."""
    if not word.working:
        title = f"One word too many: “{word.broken}” raises {raised}"
        return title, "too many", "without it"
    if not word.broken:
        title = f"One word missing: without “{word.working}” it raises {raised}"
        return title, "missing", "with it"
    title = f"One word wrong: “{word.broken}” for “{word.working}” raises {raised}"
    return title, "wrong", "right"


def _draw_line(
    area: Axes, y: float, line: str, start: int, word: str, label: str, *, works: bool
) -> None:
    """Draw a line of source with its word marked, or with the place marked where none is."""
    size = min(CODE_SIZE, (WIDTH - MARGIN - CODE_LEFT) * 72 / MONOSPACE_ADVANCE / len(line))
    advance = size * MONOSPACE_ADVANCE / 72
    color = WORKS if works else BROKEN
    area.plot(MARGIN + 0.08, y, "o" if works else "X", color=color, markersize=8)
    area.text(
        MARGIN + 0.25, y, "works" if works else "broken", color=color, weight="bold", va="center"
    )
    end = start + len(word)
    for first, part, marked in (
        (0, line[:start], False),
        (start, word, True),
        (end, line[end:], False),
    ):
        area.text(
            CODE_LEFT + first * advance,
            y,
            part,
            family=MONOSPACE,
            size=size,
            color=color if marked else INK,
            weight="bold" if marked else "normal",
            va="center_baseline",
        )
    left, right = CODE_LEFT + start * advance, CODE_LEFT + end * advance
    if word:
        area.plot((left, right), (y - 0.12, y - 0.12), color=color, linewidth=2)
    else:
        left = right = left - advance / 2
        area.plot(left, y - 0.16, "^", color=color, markersize=7)
    area.text((left + right) / 2, y - 0.22, label, color=color, ha="center", va="top")


def _wrap(step: str, width: int) -> str:
    """Break the name of a step at its underscores and spaces."""
    lines = [""]
    for piece in re.findall(r"[^_ ]*[_ ]?", step):
        if lines[-1] and len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _fit(path: Sequence[str]) -> tuple[list[str], list[float]]:
    """Return the steps, broken as little as the width of the figure allows, and their widths."""
    for width in (30, 17, 12, 9, 1):
        steps = [_wrap(step, width) for step in path]
        columns = [max(map(len, step.split("\n"))) for step in steps]
        sizes = [MONOSPACE_ADVANCE * TEXT / 72 * n + 2 * PADDING for n in columns]
        if sum(sizes) + ARROW * (len(path) - 1) <= WIDTH - 2 * MARGIN:
            break
    return steps, sizes


def _draw_path(area: Axes, y: float, path: Sequence[str], raises: int, note: str) -> None:
    """Draw the steps in a row, and the note below the one that raises."""
    x = MARGIN
    steps, sizes = _fit(path)
    for index, (step, size) in enumerate(zip(steps, sizes, strict=True)):
        failed = index >= raises
        color = BROKEN if failed else QUIET
        height = max(STEP_HEIGHT, 0.16 * (step.count("\n") + 1) + 2 * PADDING)
        area.add_patch(
            FancyBboxPatch(
                (x, y - height / 2),
                size,
                height,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor="white",
                edgecolor=color,
                linewidth=2.4 if index == raises else 1,
                linestyle="--" if index > raises else "-",
            )
        )
        area.text(
            x + size / 2,
            y,
            step,
            family=MONOSPACE,
            color=color if failed else INK,
            weight="bold" if index == raises else "normal",
            ha="center",
            va="center",
        )
        if index:
            area.annotate(
                "",
                (x - 0.02, y),
                xytext=(x - ARROW + 0.02, y),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": BROKEN if index > raises else QUIET,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )
        if index == raises:
            area.plot(x + size / 2, y - height / 2 - 0.11, "^", color=BROKEN, markersize=7)
            half = CHARACTER * 1.15 * len(note) / 2
            middle = min(max(x + size / 2, MARGIN + half), WIDTH - MARGIN - half)
            area.text(
                middle,
                y - height / 2 - 0.19,
                note,
                color=BROKEN,
                weight="bold",
                ha="center",
                va="top",
            )
        x += size + ARROW


@look()
def one_word(
    broken_line: str, working_line: str, failure: Mapping[str, str], call_path: Sequence[str]
) -> Picture:
    """Draw a line of source before and after, and the path of a call to where it raises.

    `failure` has the type, where, function and line of the error, as the server logged them. The
    path raises at the word itself if it has that step, or else in the function of the failure.
    Raises `ValueError` if the lines differ in more than one place, or if the path does not come
    by the function.
    """
    broken, working = broken_line.strip(), working_line.strip()
    word = _difference(broken, working)
    path = list(call_path)
    if failure["function"] not in path:
        msg = f"expected a path through {failure['function']}, got {path}"
        raise ValueError(msg)
    raises = path.index(word.broken if word.broken in path else failure["function"])
    if failure["type"] not in path:
        path.insert(raises + 1, failure["type"])
    logged = failure["line"].strip() == broken
    title, wrong, right = _say(word, failure["type"])
    figure, top = canvas(
        title,
        f"the line with the bug, {'as' if logged else 'but not as'} the server logged it, and "
        "without it; below, the path of one connection",
    )
    area = drawing(figure)
    _draw_line(area, top - 0.38, broken, word.start, word.broken, wrong, works=False)
    _draw_line(area, top - 1.02, working, word.start, word.working, right, works=True)
    _draw_path(area, 0.83, path, raises, f"raises {failure['type']} at {failure['where']}")
    facts = [
        title,
        f"broken: {broken}",
        f"works: {working}",
        f"raised in: {failure['function']}",
        f"the server logged the broken line: {logged}",
        f"path: {' > '.join(path)}",
    ]
    alt = f"Two lines of source and a row of boxes that breaks off at {path[raises]}. " + (
        f"{'; '.join(facts)}."
    )
    return Picture(figure, facts, alt)

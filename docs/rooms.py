"""The map of the rooms, drawn from the imports: `python docs/rooms.py` renews it.

A room is a module, or a folder of modules, right below the package or below one of its wings. It
stands one row above the highest room of its wing that it imports, so that imports go down.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from itertools import chain
from pathlib import Path

import grimp

from netra_ws.incident.figures.style import (
    FAINT,
    INK,
    MARGIN,
    MONOSPACE,
    QUIET,
    TEXT,
    WIDTH,
    Picture,
    canvas,
    drawing,
    look,
)

HERE = Path(__file__).parent
PICTURE = HERE / "rooms.png"
CONTRIBUTING = HERE.parent / "CONTRIBUTING.md"
BEGIN, END = "<!-- python docs/rooms.py writes from here -->", "<!-- to here -->"

PACKAGE = "netra_ws"
BACKEND = "backend"
WINGS = {
    "cli": "the command line, above all",
    "incident": "incident: the case, its runs, what is told of it",
    "prevention": "prevention: audit, fix, drift check",
    BACKEND: "backend: what delivers the events",
}
"""What the wings are for, from above to below."""

LINE = 0.165
"""Inches from one line of names to the next."""

ROW_GAP, HEAD = 0.07, 0.3

Rows = list[list[str]]
"""The rooms of a wing, the highest row first."""


def _room(module: str) -> tuple[str, str] | None:
    """Return the wing and the room of a module; `None` for what only holds rooms."""
    match module.split("."):
        case [_, wing, room, *_] if wing in WINGS:
            return wing, room
        case [_, room, *_] if room not in WINGS and room != "__main__":
            return BACKEND, room
    return None


def rooms() -> dict[str, Rows]:
    """Return the rows of each wing, from the imports as they are now.

    Raises `ValueError` if rooms of a wing import each other in a circle.
    """
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    below: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for module in graph.modules:
        room = _room(module)
        if room is None:
            continue
        imported = map(_room, graph.find_modules_directly_imported_by(module))
        below[room] |= {one for one in imported if one and one[0] == room[0] and one != room}
    height: dict[tuple[str, str], int] = {}
    while len(height) < len(below):
        ready = [room for room in below if room not in height and below[room] <= height.keys()]
        if not ready:
            stuck = sorted(".".join(room) for room in below.keys() - height.keys())
            raise ValueError(f"expected rooms that import downwards, got a circle in {stuck}")
        for room in ready:
            height[room] = 1 + max((height[one] for one in below[room]), default=-1)
    found: dict[str, Rows] = {}
    for wing in WINGS:
        own = {room: level for (of, room), level in height.items() if of == wing}
        levels = range(max(own.values()), -1, -1)
        found[wing] = [sorted(room for room in own if own[room] == level) for level in levels]
    return found


def text_form(wings: dict[str, Rows]) -> str:
    """Return the map as text, a line for each row."""
    lines = []
    for wing, rows in wings.items():
        lines += [WINGS[wing], *(f"    {', '.join(row)}" for row in rows), ""]
    return "\n".join(lines[:-1])


def _height(rows: list[str]) -> float:
    return HEAD + sum(LINE * (row.count("\n") + 1) + ROW_GAP for row in rows)


@look()
def draw(wings: dict[str, Rows]) -> Picture:
    """Draw the wings: the command line above, the incident on the backend, prevention beside."""
    half = (WIDTH - 2 * MARGIN - 0.3) / 2
    left, right = MARGIN, MARGIN + half + 0.3
    characters = int((half - 0.25) * 72 / TEXT / 0.602)
    wrapped = {
        wing: [textwrap.fill(" · ".join(row), characters) for row in rows]
        for wing, rows in wings.items()
    }
    wrapped["cli"] = [textwrap.fill(" · ".join(chain(*wings["cli"])), 2 * characters)]
    heights = {wing: _height(rows) for wing, rows in wrapped.items()}
    total = (
        heights["cli"]
        + 0.15
        + max(heights["incident"] + 0.15 + heights[BACKEND], heights["prevention"])
    )
    count = sum(len(row) for rows in wings.values() for row in rows)
    figure, top = canvas(
        "Imports go down: no room imports one that stands above it",
        f"{count} rooms of {PACKAGE} in {len(WINGS)} parts, placed by their imports; the backend "
        "imports nothing of the others, and prevention nothing of anybody",
        total + 0.1,
    )
    area = drawing(figure)
    below = top - heights["cli"] - 0.15
    places = {
        "cli": (left, top, WIDTH - 2 * MARGIN),
        "incident": (left, below, half),
        BACKEND: (left, below - heights["incident"] - 0.15, half),
        "prevention": (right, below, half),
    }
    for wing, (x, y, width) in places.items():
        area.plot((x, x + width), (y, y), color=FAINT, linewidth=1)
        area.text(x, y - 0.06, WINGS[wing], color=INK, weight="bold", va="top")
        y -= HEAD
        for row in wrapped[wing]:
            area.text(x + 0.1, y, row, color=QUIET, va="top", family=MONOSPACE, linespacing=1.2)
            y -= LINE * (row.count("\n") + 1) + ROW_GAP
    text = text_form(wings)
    facts = text.splitlines()
    alt = f"Rows of names in four parts. {'; '.join(line.strip() for line in facts if line)}."
    return Picture(figure, facts, alt)


def between(text: str) -> str:
    """Return what stands between the two markers."""
    return text.partition(BEGIN)[2].partition(END)[0]


def renew() -> None:
    """Write the picture, and the text form in CONTRIBUTING.md."""
    wings = rooms()
    draw(wings).save(PICTURE)
    text = CONTRIBUTING.read_text(encoding="utf-8")
    new = f"\n\n```\n{text_form(wings)}\n```\n\n"
    CONTRIBUTING.write_text(
        text.replace(f"{BEGIN}{between(text)}{END}", f"{BEGIN}{new}{END}"), encoding="utf-8"
    )


if __name__ == "__main__":
    renew()

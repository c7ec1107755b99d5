"""The map of the rooms, drawn from the imports: `python docs/rooms.py` renews it.

A room is a module, or a folder of modules, right below the package of a part. It stands one row
above the highest room of its part that it imports, so that imports go down.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from pathlib import Path

import grimp

from netra_incident.figures.style import (
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

PARTS = {
    "netra_incident": "netra_incident: investigates, and alone imports the other two",
    "await_audit": "await_audit: finds and mends wrong awaits",
    "netra_ws": "netra_ws: the backend, which delivers the events",
}
"""What the parts are for, from above to below, by the package that holds their rooms."""

COLUMNS = (("netra_incident", "netra_ws"), ("await_audit",))
"""The parts as they are drawn."""

LINE = 0.165
"""Inches from one line of names to the next."""

ROW_GAP, HEAD, PART_GAP = 0.07, 0.3, 0.15

Rows = list[list[str]]
"""The rooms of a part, the highest row first."""


def _room(module: str) -> tuple[str, str] | None:
    """Return the part and the room of a module; `None` for what only holds rooms."""
    holders = [part for part in PARTS if module.startswith(f"{part}.")]
    if module in PARTS or not holders:
        return None
    part = max(holders, key=len)
    room = module.removeprefix(f"{part}.").partition(".")[0]
    return None if room == "__main__" else (part, room)


def rooms() -> dict[str, Rows]:
    """Return the rows of each part, from the imports as they are now.

    Raises `ValueError` if rooms of a part import each other in a circle.
    """
    graph = grimp.build_graph(*{part.partition(".")[0] for part in PARTS}, cache_dir=None)
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
    for part in PARTS:
        own = {room: level for (of, room), level in height.items() if of == part}
        levels = range(max(own.values()), -1, -1)
        found[part] = [sorted(room for room in own if own[room] == level) for level in levels]
    return found


def text_form(parts: dict[str, Rows]) -> str:
    """Return the map as text, a line for each row."""
    lines = []
    for part, rows in parts.items():
        lines += [PARTS[part], *(f"    {', '.join(row)}" for row in rows), ""]
    return "\n".join(lines[:-1])


def _height(rows: list[str]) -> float:
    return HEAD + sum(LINE * (row.count("\n") + 1) + ROW_GAP for row in rows)


@look()
def draw(parts: dict[str, Rows]) -> Picture:
    """Draw the parts in their columns."""
    width = (WIDTH - 2 * MARGIN - 0.3) / len(COLUMNS)
    characters = int((width - 0.25) * 72 / TEXT / 0.602)
    wrapped = {
        part: [textwrap.fill(" · ".join(row), characters) for row in rows]
        for part, rows in parts.items()
    }
    heights = [sum(_height(wrapped[part]) + PART_GAP for part in column) for column in COLUMNS]
    count = sum(len(row) for rows in parts.values() for row in rows)
    figure, top = canvas(
        "Imports go down: no room imports one that stands above it",
        f"{count} rooms in {len(PARTS)} parts, placed by their imports; the backend imports "
        "nothing of the others, and prevention nothing of anybody",
        max(heights),
    )
    area = drawing(figure)
    for number, column in enumerate(COLUMNS):
        x, y = MARGIN + number * (width + 0.3), top
        for part in column:
            area.plot((x, x + width), (y, y), color=FAINT, linewidth=1)
            area.text(x, y - 0.06, PARTS[part], color=INK, weight="bold", va="top")
            y -= HEAD
            for row in wrapped[part]:
                area.text(x + 0.1, y, row, color=QUIET, va="top", family=MONOSPACE, linespacing=1.2)
                y -= LINE * (row.count("\n") + 1) + ROW_GAP
            y -= PART_GAP
    facts = text_form(parts).splitlines()
    words = "; ".join(line.strip() for line in facts if line)
    return Picture(figure, facts, f"Rows of names in {len(PARTS)} parts. {words}.")


def between(text: str) -> str:
    """Return what stands between the two markers."""
    return text.partition(BEGIN)[2].partition(END)[0]


def renew() -> None:
    """Write the picture, and the text form in CONTRIBUTING.md."""
    parts = rooms()
    draw(parts).save(PICTURE)
    text = CONTRIBUTING.read_text(encoding="utf-8")
    new = f"\n\n```\n{text_form(parts)}\n```\n\n"
    CONTRIBUTING.write_text(
        text.replace(f"{BEGIN}{between(text)}{END}", f"{BEGIN}{new}{END}"), encoding="utf-8"
    )


if __name__ == "__main__":
    renew()

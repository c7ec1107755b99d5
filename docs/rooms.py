"""The map of the rooms, drawn from the imports and told in the words of the docstrings.

A room is a module, or a folder of modules, right below one of the packages that are shipped. It
stands above the rooms of its package that it imports.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import tomllib
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import grimp

from docs.image import Image
from netra_incident.figures.style import (
    FAINT,
    INK,
    MARGIN,
    MONOSPACE,
    MONOSPACE_ADVANCE,
    QUIET,
    TEXT,
    WIDTH,
    Picture,
    canvas,
    drawing,
    look,
    plural,
)

PROJECT = Path(__file__).parents[1] / "pyproject.toml"

LINE = 0.165
"""Inches from one line of names to the next."""

ROW_GAP, HEAD, PAD, GAP = 0.07, 0.3, 0.12, 0.45

Rows = list[list[str]]
"""Names, the highest row first."""


def packages() -> list[str]:
    """Return the packages that are shipped."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    found: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return found


def _imports(depth: int) -> dict[str, set[str]]:
    """Return which names of `depth` parts import which others."""
    graph = grimp.build_graph(*packages(), cache_dir=None)
    found: dict[str, set[str]] = defaultdict(set)

    def named(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    for module in graph.modules:
        if module.count(".") >= depth - 1 and not module.endswith(".__main__"):
            below = map(named, graph.find_modules_directly_imported_by(module))
            name = named(module)
            found[name] |= {one for one in below if one.count(".") == depth - 1 and one != name}
    return found


def _rows(below: dict[str, set[str]]) -> Rows:
    """Return the names in rows, so that imports go down.

    Raises `ValueError` if some import each other in a circle.
    """
    rows: Rows = []
    placed: set[str] = set()
    while len(placed) < len(below):
        ready = sorted(name for name in below if name not in placed and below[name] <= placed)
        if not ready:
            stuck = sorted(below.keys() - placed)
            raise ValueError(f"expected imports that go down, got a circle in {stuck}")
        rows.insert(0, ready)
        placed |= set(ready)
    return rows


def _within(package: str) -> Rows:
    """Return the rooms of a package in rows."""
    own = {room: below for room, below in _imports(2).items() if room.startswith(f"{package}.")}
    rows = _rows({room: {one for one in below if one in own} for room, below in own.items()})
    return [[room.rpartition(".")[2] for room in row] for row in rows]


def _words(name: str) -> str:
    """Return the first sentence of the docstring of a module, without importing it."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def lines() -> str:
    """Return a line for each room, with the words of its docstring."""
    parts = []
    for package in packages():
        rooms = (room for row in _within(package) for room in row)
        listed = "\n".join(f"- `{room}`: {_words(f'{package}.{room}')}" for room in rooms)
        parts.append(f"**{package}**: {_words(package)}\n\n{listed}")
    return "\n\n".join(parts)


@look()
def rooms() -> Image:
    """Draw each package as a box of its rooms, with an arrow to each package that it imports."""
    levels = _rows({package: _imports(1)[package] for package in packages()})
    boxes = {}
    for level in levels:
        width = (WIDTH - 2 * MARGIN - GAP * (len(level) - 1)) / len(level)
        characters = int((width - 2 * PAD) * 72 / TEXT / MONOSPACE_ADVANCE)
        for number, package in enumerate(level):
            rows = [textwrap.fill(" · ".join(row), characters) for row in _within(package)]
            height = HEAD + PAD + sum(LINE * (row.count("\n") + 1) + ROW_GAP for row in rows)
            boxes[package] = MARGIN + number * (width + GAP), width, height, rows
    tallest = [max(boxes[package][2] for package in level) for level in levels]
    count = sum(len(row) for package in packages() for row in _within(package))
    figure, top = canvas(
        "Imports go down: no room imports one that stands above it",
        f"{count} rooms in {plural(len(boxes), 'package')}, placed by their imports; an arrow goes "
        "to a package that is imported",
        sum(tallest) + GAP * (len(levels) - 1) + MARGIN,
    )
    area = drawing(figure)
    arrows = []
    for level, height in zip(levels, tallest, strict=True):
        for package in level:
            x, width, own, rows = boxes[package]
            right, bottom = x + width, top - own
            area.plot((x, right, right, x, x), (top, top, bottom, bottom, top), color=FAINT)
            area.text(x + PAD, top - 0.08, package, color=INK, weight="bold", va="top")
            y = top - HEAD
            for row in rows:
                for line in row.splitlines():
                    y -= LINE
                    area.text(x + PAD, y, line, color=QUIET, va="baseline", family=MONOSPACE)
                y -= ROW_GAP
            for target in sorted(_imports(1)[package]):
                middle = boxes[target][0] + boxes[target][1] / 2
                area.annotate(
                    "",
                    (middle, top - height - GAP + 0.03),
                    (middle, bottom),
                    arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1},
                )
                arrows.append(f"{package} imports {target}")
        top -= height + GAP
    facts = [
        *arrows,
        *(f"{one}: {'; '.join(', '.join(row) for row in _within(one))}" for one in packages()),
    ]
    alt = f"Boxes of names, one a package. {'. '.join(facts)}."
    return Image(alt, Picture(figure, facts, alt).png)

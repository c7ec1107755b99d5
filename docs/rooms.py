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
from typing import NamedTuple

import grimp
from matplotlib.axes import Axes

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


class _Box(NamedTuple):
    """A package on the picture: its left side, width and height in inches, and its rows."""

    x: float
    width: float
    height: float
    rows: list[str]


def _boxes(level: list[str]) -> dict[str, _Box]:
    """Return the boxes of packages that stand side by side."""
    width = (WIDTH - 2 * MARGIN - GAP * (len(level) - 1)) / len(level)
    characters = int((width - 2 * PAD) * 72 / TEXT / MONOSPACE_ADVANCE)
    boxes = {}
    for number, package in enumerate(level):
        rows = [textwrap.fill(" · ".join(row), characters) for row in _within(package)]
        height = HEAD + PAD + sum(LINE * (row.count("\n") + 1) + ROW_GAP for row in rows)
        boxes[package] = _Box(MARGIN + number * (width + GAP), width, height, rows)
    return boxes


def _draw_box(area: Axes, package: str, box: _Box, top: float) -> None:
    right, bottom = box.x + box.width, top - box.height
    area.plot((box.x, right, right, box.x, box.x), (top, top, bottom, bottom, top), color=FAINT)
    area.text(box.x + PAD, top - 0.08, package, color=INK, weight="bold", va="top")
    y = top - HEAD
    for row in box.rows:
        for line in row.splitlines():
            y -= LINE
            area.text(box.x + PAD, y, line, color=QUIET, va="baseline", family=MONOSPACE)
        y -= ROW_GAP


def _draw_arrow(area: Axes, start: float, target: _Box, end: float) -> None:
    """Draw an arrow from the bottom of a box to the top of another."""
    area.annotate(
        "",
        (target.x + target.width / 2, end + 0.03),
        (target.x + target.width / 2, start),
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1},
    )


def _facts(imports: dict[str, list[str]]) -> list[str]:
    return [
        *(f"{one} imports {target}" for one, targets in imports.items() for target in targets),
        *(f"{one}: {'; '.join(', '.join(row) for row in _within(one))}" for one in imports),
    ]


@look()
def rooms() -> Image:
    """Draw each package as a box of its rooms, with an arrow to each package that it imports."""
    imports = {package: sorted(_imports(1)[package]) for package in packages()}
    levels = [_boxes(level) for level in _rows({one: set(below) for one, below in imports.items()})]
    boxes = {package: box for level in levels for package, box in level.items()}
    tallest = [max(box.height for box in level.values()) for level in levels]
    count = sum(len(row) for package in packages() for row in _within(package))
    figure, top = canvas(
        "Imports go down: no room imports one that stands above it",
        f"{count} rooms in {plural(len(boxes), 'package')}, placed by their imports; an arrow goes "
        "to a package that is imported",
        sum(tallest) + GAP * (len(levels) - 1) + MARGIN,
    )
    area = drawing(figure)
    for level, height in zip(levels, tallest, strict=True):
        for package, box in level.items():
            _draw_box(area, package, box, top)
            for target in imports[package]:
                _draw_arrow(area, top - box.height, boxes[target], top - height - GAP)
        top -= height + GAP
    facts = _facts(imports)
    alt = f"Boxes of names, one a package. {'. '.join(facts)}."
    return Image(alt, Picture(figure, facts, alt).png)

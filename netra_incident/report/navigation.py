"""The bar at the end of each notebook: the page before, the contents, the page after.

It is written by ``netra-ws notebooks``, as a Markdown cell of its own, and never by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

TAG = "navigation"
"""The tag of a cell that is generated."""

PAGES = "[0-9][0-9]-*.ipynb"
"""Which files of a folder are pages."""


def label(name: str) -> str:
    """Return the name of a page as a reader sees it: ``02-find-it`` is *02 Find it*."""
    number, _, words = name.partition("-")
    words = words.replace("-", " ").replace("post mortem", "post-mortem")
    return f"{number} {words.capitalize()}"


def is_bar(cell: NotebookNode) -> bool:
    """Say whether a cell is the generated bar."""
    return TAG in cell.metadata.get("tags", [])


def bar(path: Path, pages: Sequence[Path]) -> str:
    """Return the bar of the page at `path` as Markdown; empty if there is no other page.

    `pages` are all pages in their order; the first is the contents.
    """
    place = pages.index(path)
    parts = []
    if place > 1:
        parts.append(f"← {_link(pages[place - 1])}")
    if place > 0:
        parts.append(f"[Contents]({pages[0].name})")
    if place + 1 < len(pages):
        parts.append(f"**{_link(pages[place + 1])}** →")
    return f"---\n\n{' · '.join(parts)}" if parts else ""


def _link(path: Path) -> str:
    return f"[{label(path.stem)}]({path.name})"


def set_bar(notebook: NotebookNode, path: Path) -> None:
    """Make the bar of the page at `path` the last cell of `notebook`, the only one of its kind."""
    pages = sorted(path.parent.glob(PAGES))
    notebook.cells = [cell for cell in notebook.cells if not is_bar(cell)]
    text = bar(path, pages) if path in pages else ""
    if text:
        number = path.stem.partition("-")[0]
        notebook.cells.append(
            new_markdown_cell(text, id=f"{number}-navigation", metadata={"tags": [TAG]})
        )

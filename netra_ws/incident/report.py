"""The post-mortem as pages: one a notebook and a contents page, readable without a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from netra_ws.incident.case import Case
from netra_ws.incident.comparison import MIME_TYPE, Row, html_table, render
from netra_ws.incident.notebooks import code_cells

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Image:
    """A figure of a page: base64 PNG and its alternative text."""

    png: str
    alt: str


@dataclass(frozen=True)
class Page:
    """An executed notebook under the name of its file."""

    name: str
    notebook: NotebookNode

    @property
    def title(self) -> str:
        """Return the first heading."""
        heading = re.search(r"^# (.+)$", self.notebook.cells[0].source, re.MULTILINE)
        return heading[1] if heading else self.name

    @property
    def pictures(self) -> list[Image]:
        """Return the figures, in their order."""
        return [
            Image(
                output.data["image/png"].replace("\n", ""),
                output.metadata.get("image/png", {}).get("alt", ""),
            )
            for cell in code_cells(self.notebook)
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ]


@dataclass(frozen=True)
class Headline:
    """The before and after table of a run, and the page that measured it."""

    page: Page
    titles: list[str]
    rows: list[Row]

    def __str__(self) -> str:
        """Return the table as plain text."""
        return render(self.rows, ["", *self.titles])


def headline(pages: Sequence[Page]) -> Headline:
    """Return the first comparison among the outputs of `pages`.

    Raises `LookupError` if no page compares anything.
    """
    for page in pages:
        for cell in code_cells(page.notebook):
            for output in cell.outputs:
                found = output.get("data", {}).get(MIME_TYPE)
                if found:
                    return Headline(page, found["titles"], [tuple(row) for row in found["rows"]])
    raise LookupError("no page compares before and after")


def write_report(case: Case, pages: Sequence[Page], folder: Path) -> Path:
    """Write all pages into `folder` and return the path of the contents page."""
    folder.mkdir(parents=True, exist_ok=True)
    style = (PAGES / "page.css").read_text(encoding="utf-8")
    exporter = HTMLExporter(
        template_name="post_mortem", extra_template_basedirs=[str(PAGES)], anchor_link_text=""
    )
    for number, page in enumerate(pages):
        resources = {
            "style": style,
            "page": page,
            "previous": pages[number - 1] if number else None,
            "next": pages[number + 1] if number + 1 < len(pages) else None,
        }
        html, _ = exporter.from_notebook_node(page.notebook, resources=resources)
        html = re.sub(r'href="(\d\d-[\w-]+)\.ipynb', r'href="\1.html', html)
        (folder / f"{page.name}.html").write_text(html, encoding="utf-8")
    table = headline(pages)
    environment = Environment(
        loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined
    )
    contents = environment.get_template("contents.html.j2").render(
        case=case,
        pages=pages,
        style=style,
        measured=table.page,
        table=html_table(table.rows, ["", *table.titles]),
    )
    index = folder / "index.html"
    index.write_text(contents, encoding="utf-8")
    return index

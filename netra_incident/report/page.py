"""A page of the report: an executed notebook, its figures and what a section of it measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nbformat import NotebookNode

from netra_incident.measuring.comparison import MIME_TYPE
from netra_incident.report.navigation import is_bar, label
from netra_incident.report.notebooks import code_cells
from netra_incident.table import Table

PNG = "image/png"


@dataclass(frozen=True)
class Image:
    """A figure of a page: base64 PNG, its title, its alternative text and the facts it shows."""

    png: str
    title: str
    alt: str
    facts: str

    @classmethod
    def read(cls, output: NotebookNode) -> Image:
        """Return the figure in an output; without a title, it takes the first sentence of `alt`."""
        about = output.metadata.get(PNG, {})
        alt = about.get("alt", "")
        title = about.get("title") or re.split(r"(?<=[.:;])\s", alt, maxsplit=1)[0].rstrip(".:;")
        facts = output.data.get("text/plain", "")
        return cls(output.data[PNG].replace("\n", ""), title, alt, facts)


@dataclass(frozen=True)
class Page:
    """An executed notebook under the name of its file."""

    name: str
    notebook: NotebookNode

    @property
    def label(self) -> str:
        """Return the name as a reader sees it."""
        return label(self.name)

    @property
    def title(self) -> str:
        """Return the first heading."""
        heading = re.search(r"^# (.+)$", self.notebook.cells[0].source, re.MULTILINE)
        return heading[1] if heading else self.name

    @property
    def body(self) -> NotebookNode:
        """Return the notebook without the generated bar."""
        cells = [cell for cell in self.notebook.cells if not is_bar(cell)]
        return NotebookNode({**self.notebook, "cells": cells})

    @cached_property
    def pictures(self) -> list[Image]:
        """Return the figures, in their order."""
        return [
            Image.read(output)
            for cell in code_cells(self.notebook)
            for output in cell.outputs
            if PNG in output.get("data", {})
        ]

    @staticmethod
    def image(output: NotebookNode) -> Image:
        """Return the figure in an output, for the template of the page."""
        return Image.read(output)

    def cell(self, name: str) -> NotebookNode | None:
        """Return the cell with this id, or `None`."""
        return next((cell for cell in self.notebook.cells if cell.id == name), None)


class Headline(NamedTuple):
    """The before and after table of a run, and the page that measured it."""

    page: Page
    table: Table


def headline(pages: Sequence[Page]) -> Headline:
    """Return the first comparison among the outputs of `pages`.

    Raises `LookupError` if no page compares anything.
    """
    for page in pages:
        for cell in code_cells(page.notebook):
            for output in cell.outputs:
                found = output.get("data", {}).get(MIME_TYPE)
                if found:
                    return Headline(page, Table(("", *found["titles"]), found["rows"]))
    raise LookupError("no page compares before and after")


def find_cell(pages: Sequence[Page], name: str) -> tuple[Page, NotebookNode]:
    """Return the cell with this id, and its page.

    Raises `LookupError` if no page has it.
    """
    for page in pages:
        cell = page.cell(name)
        if cell is not None:
            return page, cell
    raise LookupError(f"expected a cell {name} in a notebook, found none; see incident.toml")

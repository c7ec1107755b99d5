"""What the notebooks show, as they were run last."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from docs.image import Image
from netra_incident.report.navigation import label
from netra_incident.report.notebooks import code_cells, find_notebooks, read_notebook
from netra_incident.table import Table

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def _outputs(name: str) -> Iterator[NotebookNode]:
    for cell in code_cells(read_notebook(NOTEBOOKS / name)):
        yield from cell.outputs


def event_delivery() -> Image:
    """Return the first picture of page 06."""
    for output in _outputs("06-event-delivery.ipynb"):
        if png := output.get("data", {}).get("image/png"):
            return Image(output.metadata["image/png"]["alt"], base64.b64decode(png))
    raise ValueError("expected a picture in page 06; run: make notebooks")


def comparison() -> str:
    """Return the table that `make walkthrough` prints, as page 00 has it."""
    for output in _outputs("00-post-mortem.ipynb"):
        text = output.get("data", {}).get("text/plain", "")
        if "handshakes accepted" in text:
            return f"```text\n{text}\n```"
    raise ValueError("expected the comparison in page 00; run: make notebooks")


def pages() -> str:
    """Return the pages with their findings."""
    rows = []
    for path in find_notebooks(NOTEBOOKS):
        title = read_notebook(path).cells[0].source.splitlines()[0]
        rows.append((f"[{label(path.stem)}](../notebooks/{path.name})", title.removeprefix("# ")))
    return Table(("page", "finding"), rows).markdown()

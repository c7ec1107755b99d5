"""A table of words: plain text for a terminal, HTML and Markdown for a page."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from rich.console import Console
from rich.table import Table as Grid

UNLIMITED = 10_000
"""Characters that no table needs."""


@dataclass
class Table:
    """Rows of cells below a head; the first cell of each names its row.

    In plain text, where it is wider than `width` characters, the last column gives way.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    width: int = 100

    def __repr__(self) -> str:
        """Return the table as plain text, without colours."""
        grid = Grid(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
        for number, title in enumerate(self.head, 1):
            grid.add_column(title, no_wrap=number < len(self.head))
        for row in self.rows:
            grid.add_row(*row)
        out = io.StringIO()
        # In a notebook rich would otherwise display the table by itself and leave `out` empty.
        Console(
            file=out,
            width=self.width,
            force_terminal=False,
            force_jupyter=False,
            color_system=None,
            markup=False,
            emoji=False,
        ).print(grid)
        lines = [self.title, ""] if self.title else []
        return "\n".join([*lines, *(line.rstrip() for line in out.getvalue().splitlines())])

    def _repr_html_(self) -> str:
        """Return the table as HTML, its first column as row headings."""
        title = f"<p><strong>{escape(self.title)}</strong></p>" if self.title else ""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.head)
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join("<td>" + escape(cell).replace("\n", "<br>") + "</td>" for cell in cells)
            + "</tr>"
            for name, *cells in self.rows
        )
        return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def markdown(self) -> str:
        """Return the table as Markdown; a bar in a cell stays a bar."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(map(_in_markdown, line))} |" for line in lines)


def tally(values: Iterable[object]) -> str:
    """Return how often each value comes, in their order: ``200 × 3, 500 × 1``."""
    return ", ".join(f"{value} × {count}" for value, count in sorted(Counter(values).items()))


def _in_markdown(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")

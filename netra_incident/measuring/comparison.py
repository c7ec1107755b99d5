"""Before and after: the same load on two deployments, counted side by side."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from rich.console import Console
from rich.table import Table

from netra_incident.history.deployment import Deployment
from netra_incident.measuring.load import Progress, Session, probe_endpoints, run_sessions
from netra_ws.events import EVENT_TYPES

MIME_TYPE = "application/vnd.netra-ws.comparison+json"
"""How a notebook's output carries the rows to whoever runs the notebook."""

Row = tuple[str, str, str]
"""What is measured, on the broken deployment, on the working one."""


@dataclass(frozen=True)
class Measurement:
    """What one deployment did under load."""

    sessions: list[Session]
    endpoints: dict[str, int]

    def cells(self) -> list[str]:
        """Return the measured values in the order of `ROWS`."""
        sessions = self.sessions
        n = len(sessions)
        types = {item.event.__struct_config__.tag for one in sessions for item in one.events}
        codes = Counter(session.close_code for session in sessions)
        statuses = Counter(self.endpoints.values())
        return [
            f"{sum(session.handshake == 101 for session in sessions)} of {n}",
            f"{sum(session.completed for session in sessions)} of {n}",
            f"{sum(len(session.events) for session in sessions)}",
            f"{len(types)} of {len(EVENT_TYPES)}",
            ", ".join(f"{code} × {count}" for code, count in sorted(codes.items())),
            ", ".join(f"{status} × {count}" for status, count in sorted(statuses.items())),
        ]


ROWS = (
    "handshakes accepted",
    "sessions completed",
    "events received",
    "event types received",
    "close codes",
    "endpoints",
)


async def measure(
    deployment: Deployment, *, users: int = 20, each: int = 5, progress: Progress = lambda: None
) -> Measurement:
    """Return what `users` users at once, `each` sessions a user, saw of a deployment."""
    sessions = await run_sessions(deployment, users=users, each=each, progress=progress)
    return Measurement(sessions, await probe_endpoints(deployment))


def render(rows: Sequence[Sequence[str]], titles: Sequence[str], width: int = 100) -> str:
    """Return a table as plain text, without colours, `width` characters wide at most.

    The last column gives way if it is too wide.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for title in titles[:-1]:
        table.add_column(title, no_wrap=True)
    table.add_column(titles[-1])
    for row in rows:
        table.add_row(*row)
    out = io.StringIO()
    # In a notebook rich would otherwise display the table by itself and leave `out` empty.
    plain = Console(
        file=out, width=width, force_terminal=False, force_jupyter=False, color_system=None
    )
    plain.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


@dataclass(frozen=True)
class Comparison:
    """Two measurements as a table: plain text for a terminal, HTML for a page."""

    broken: Measurement
    working: Measurement
    titles: tuple[str, str] = ("buggy", "fixed")

    @property
    def rows(self) -> list[Row]:
        """Return what is measured, before, after."""
        return list(zip(ROWS, self.broken.cells(), self.working.cells(), strict=True))

    def __repr__(self) -> str:
        """Return the table as plain text."""
        return render(self.rows, ("", *self.titles))

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """Return the table as text, as HTML and as the rows themselves."""
        del include, exclude
        return {
            "text/plain": repr(self),
            "text/html": html_table(self.rows, ("", *self.titles)),
            MIME_TYPE: {"titles": list(self.titles), "rows": [list(row) for row in self.rows]},
        }


def html_table(rows: Sequence[Sequence[str]], titles: Sequence[str]) -> str:
    """Return a table as HTML, its first column as row headings."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join("<td>" + escape(cell).replace("\n", "<br>") + "</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

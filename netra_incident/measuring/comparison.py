"""Before and after: the same load on two deployments, counted side by side."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from netra_incident.history.deployment import Deployment
from netra_incident.measuring.load import Progress, Session, probe_endpoints, run_sessions
from netra_incident.table import Table, tally
from netra_ws.events import EVENT_TYPES

MIME_TYPE = "application/vnd.netra-ws.comparison+json"
"""How a notebook's output carries the rows to whoever runs the notebook."""


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
        return [
            f"{sum(session.handshake == 101 for session in sessions)} of {n}",
            f"{sum(session.completed for session in sessions)} of {n}",
            f"{sum(len(session.events) for session in sessions)}",
            f"{len(types)} of {len(EVENT_TYPES)}",
            tally(session.close_code for session in sessions),
            tally(self.endpoints.values()),
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


@dataclass(frozen=True)
class Comparison:
    """Two measurements as a table: plain text for a terminal, HTML for a page."""

    broken: Measurement
    working: Measurement
    titles: tuple[str, str] = ("buggy", "fixed")

    @property
    def table(self) -> Table:
        """What is measured, before, after."""
        rows = zip(ROWS, self.broken.cells(), self.working.cells(), strict=True)
        return Table(("", *self.titles), list(rows))

    def __repr__(self) -> str:
        """Return the table as plain text."""
        return repr(self.table)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """Return the table as text, as HTML and as the rows themselves."""
        del include, exclude
        return {
            "text/plain": repr(self),
            "text/html": self.table._repr_html_(),
            MIME_TYPE: {
                "titles": list(self.titles),
                "rows": [list(row) for row in self.table.rows],
            },
        }

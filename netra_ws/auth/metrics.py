"""What the login service says to its operators, in the Prometheus text format."""

from __future__ import annotations

from prometheus_client import Gauge

from netra_ws.metrics import Exposition

RESULTS = ("accepted", "refused", "malformed", "limited", "failed")
LIMITS = (
    "max_failed_logins",
    "max_pending_connections",
    "max_waiting_logins",
    "max_waiting_logins_per_address",
    "open_timeout_s",
)


class LoginMetrics(Exposition):
    """The metrics of one login service."""

    def __init__(self) -> None:
        super().__init__()
        self.logins = self._counter(
            "logins",
            "Logins; malformed: the body was none; limited: not looked at; failed: no hash.",
            "result",
        )
        self.malformed_requests = self._counter(
            "malformed_requests", "Requests to the login service that were not HTTP, or broke off."
        )
        self.waiting = Gauge(
            "netra_ws_logins_waiting",
            "Logins that wait for their hash now, those being hashed included.",
            registry=self._registry,
        )
        # A rate over a series that begins with its first event does not show that event.
        for result in RESULTS:
            self.logins.labels(result)
        for limit in LIMITS:
            self.limit_exceeded.labels(limit)

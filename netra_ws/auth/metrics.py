"""What the login service says to its operators, in the Prometheus text format."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)

RESULTS = ("accepted", "refused", "malformed", "limited")
LIMITS = ("max_failed_logins", "max_waiting_logins")


class LoginMetrics:
    """The counters of one login service; a registry of their own, shared with nobody.

    Guarded by tests/integration/test_login_security.py::test_the_metrics_count_every_login_once
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.logins = Counter(
            "netra_ws_logins",
            "Logins; malformed: the body was none; limited: not looked at.",
            ["result"],
            registry=self._registry,
        )
        self.limit_exceeded = Counter(
            "netra_ws_limit_exceeded",
            "Times that a limit was exceeded, by its name.",
            ["limit"],
            registry=self._registry,
        )
        self.malformed_requests = Counter(
            "netra_ws_malformed_requests",
            "Requests to the login service that were not HTTP, or broke off.",
            registry=self._registry,
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

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)

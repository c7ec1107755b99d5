"""What the backend says to its operators: metrics in the Prometheus text format, and one log line
for each limit that was met and each route that failed.

Guarded by ``tests/integration/test_metrics.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

logger = structlog.get_logger(__name__)

DELIVERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: from a turn of the loop on loopback to `write_timeout_s`."""


class _Total(Collector):
    """A counter that is read off when it is asked for: it costs nothing until then."""

    def __init__(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        self._name = name
        self._help = help_text
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return the one sample."""
        yield CounterMetricFamily(self._name, self._help, value=self._read())


class Exposition:
    """The metrics of one service, in a registry of their own that they share with nobody."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.limit_exceeded = Counter(
            "netra_ws_limit_exceeded", "Limits met, by setting.", ["limit"], registry=self._registry
        )

    def exceeded(self, limit: str, **fields: object) -> None:
        """Say that the setting named `limit` was met: one log line, one counter."""
        self.limit_exceeded.labels(limit).inc()
        logger.warning("limit exceeded", limit=limit, **fields)

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)


class Metrics(Exposition):
    """The metrics of one backend."""

    def __init__(self) -> None:
        super().__init__()

        def counter(name: str, help_text: str, *labels: str) -> Counter:
            return Counter(f"netra_ws_{name}", help_text, labels, registry=self._registry)

        self.connections = Gauge(
            "netra_ws_connections", "WebSocket connections open now.", registry=self._registry
        )
        self.handshakes = counter("handshakes", "Opening handshakes.", "status")
        self.disconnects = counter("disconnects", "Connections ended.", "code")
        self.sessions_completed = counter(
            "sessions_completed", "Connections ended that had been given a run to its end."
        )
        self.runs = counter("runs", "Runs ended.", "status")
        self.events_delivered = counter("events_delivered", "Events handed to a connection.")
        self.events_lost = counter(
            "events_lost", "Events that left the log before a client that asked for them came."
        )
        self.resumes = counter("resumes", "Connections that named a position.", "outcome")
        self.failures = counter(
            "handler_failures", "Exceptions that reached the server's boundary.", "route"
        )
        self.delivery_latency = Histogram(
            "netra_ws_delivery_latency_seconds",
            "From the oldest event's append until the last of its write was handed to the socket.",
            buckets=DELIVERY_BUCKETS,
            registry=self._registry,
        )
        self.loop_lag = Histogram(
            "netra_ws_event_loop_lag_seconds",
            "How much later than asked for a timer of the event loop was called.",
            buckets=DELIVERY_BUCKETS,
            registry=self._registry,
        )

    def count_appended(self, read: Callable[[], float]) -> None:
        """Show what `read` returns as the number of events appended; called once."""
        self._registry.register(
            _Total("netra_ws_events_appended", "Events appended to the logs of people.", read)
        )

    def failed(self, route: str, commit: str, error: Exception) -> None:
        """Say that an exception of a route reached the server's boundary: one line, one counter."""
        self.failures.labels(route).inc()
        logger.error("route failed", route=route, commit=commit, exc_info=error)

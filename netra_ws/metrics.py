"""Metrics for Prometheus, and one log line for each limit met and each route that failed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from netra_ws.events import STATUSES, RunStatus

logger = structlog.get_logger(__name__)

DELIVERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds: from a turn of the loop on loopback to `write_timeout_s`."""


@dataclass(eq=False)
class Seconds(Collector):
    """A histogram of times, for one thread: `Histogram.observe` locks, at 1.6 µs (measured)."""

    _name: str
    _help: str
    _sum: float = 0.0
    _counts: list[int] = field(default_factory=lambda: [0] * (len(DELIVERY_BUCKETS) + 1))

    def observe(self, seconds: float) -> None:
        """Count one time."""
        self._counts[bisect_left(DELIVERY_BUCKETS, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Return the counts, each with those below it."""
        bounds = [*map(floatToGoString, DELIVERY_BUCKETS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._help, buckets=buckets, sum_value=self._sum)


class Exposition:
    """The metrics of one service, in a registry of their own that they share with nobody."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.limit_exceeded = self._counter("limit_exceeded", "Limits met, by setting.", "limit")
        self.requests_refused = self._counter(
            "requests_refused",
            "Requests answered with 4xx, or not at all: they were not HTTP.",
            "status",
        )
        self.log_lines_dropped = self._counter(
            "log_lines_dropped", "Lines for which there was no room, as nobody read the others."
        )
        self.thread_wait = Histogram(
            "netra_ws_thread_wait_seconds",
            "From the call of what blocks until a thread took it.",
            buckets=DELIVERY_BUCKETS,
            registry=self._registry,
        )
        self.threads_waiting = Gauge(
            "netra_ws_threads_waiting",
            "Calls that wait for a thread now.",
            registry=self._registry,
        )

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"netra_ws_{name}", help_text, labels, registry=self._registry)

    def exceeded(self, limit: str, **fields: object) -> None:
        """Say that the setting named `limit` was met: one log line, one counter."""
        self.limit_exceeded.labels(limit).inc()
        logger.warning("limit exceeded", limit=limit, **fields)

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)


class Metrics(Exposition, Collector):
    """The metrics of one backend; `appended` returns how many events its logs have been given.

    What happens with each event and run is a plain number: `Counter.inc` takes 0.8 µs (measured).
    """

    def __init__(self, appended: Callable[[], int] = lambda: 0) -> None:
        super().__init__()
        self.runs: dict[RunStatus, int] = dict.fromkeys(STATUSES, 0)
        self.events_delivered = 0
        self._appended = appended
        self._registry.register(self)
        self.commit = "unknown"
        """The release that failures are logged with; the backend sets it."""
        self.connections = Gauge(
            "netra_ws_connections", "WebSocket connections open now.", registry=self._registry
        )
        self.handshakes = self._counter("handshakes", "Opening handshakes.", "status")
        self.disconnects = self._counter("disconnects", "Connections ended.", "code")
        self.sessions_completed = self._counter(
            "sessions_completed", "Connections ended that had been given a run to its end."
        )
        self.tool_failures = self._counter("tool_failures", "Calls of a tool that raised.")
        self.events_lost = self._counter(
            "events_lost", "Events that left the log before a client that asked for them came."
        )
        self.resumes = self._counter("resumes", "Connections that named a position.", "outcome")
        self.failures = self._counter(
            "handler_failures", "Exceptions that reached the server's boundary.", "route"
        )
        self.delivery_latency = Seconds(
            "netra_ws_delivery_latency_seconds",
            "From the oldest event's append until the last of its write was handed to the socket.",
        )
        self._registry.register(self.delivery_latency)
        self.loop_lag = Histogram(
            "netra_ws_event_loop_lag_seconds",
            "How much later than asked for a timer of the event loop was called.",
            buckets=DELIVERY_BUCKETS,
            registry=self._registry,
        )

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return what is read off."""
        runs = CounterMetricFamily("netra_ws_runs", "Runs ended.", labels=["status"])
        for status, count in self.runs.items():
            runs.add_metric([status], count)
        yield runs
        for name, help_text, value in (
            ("events_delivered", "Events handed to a connection.", self.events_delivered),
            ("events_appended", "Events appended to the logs of people.", self._appended()),
        ):
            yield CounterMetricFamily(f"netra_ws_{name}", help_text, value=value)

    def failed(self, route: str, error: Exception) -> None:
        """Say that an exception of a route reached the server's boundary: one line, one counter."""
        self.failures.labels(route).inc()
        logger.error("route failed", route=route, commit=self.commit, exc_info=error)

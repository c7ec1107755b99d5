"""What the backend says to its operators, in the Prometheus text format."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)


class Metrics:
    """The counters of one backend; a registry of their own, so that none are shared by accident."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.connections = Gauge(
            "netra_ws_connections", "WebSocket connections open now.", registry=self._registry
        )
        self.handshakes = Counter(
            "netra_ws_handshakes", "Opening handshakes.", ["status"], registry=self._registry
        )
        self.disconnects = Counter(
            "netra_ws_disconnects", "Connections ended.", ["code"], registry=self._registry
        )
        self.failures = Counter(
            "netra_ws_handler_failures",
            "Exceptions that reached the server's boundary.",
            ["route"],
            registry=self._registry,
        )

    def render(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)

"""Requests that are refused: each is counted, and as many are logged as somebody can read."""

from __future__ import annotations

import time

import structlog

from netra_ws.metrics import Exposition
from netra_ws.wire.rates import TokenBucket

logger = structlog.get_logger(__name__)

LINES_PER_S = 5.0
"""Log lines a second, on average: at most some seventy megabytes a day."""

LINES_AT_ONCE = 100
"""Log lines at once: a page with wrong addresses asks for less."""

SAID = {401, 403, 429}
"""Those that have a log line of their own, which says more."""


class Refusals:
    """What a service refuses with 4xx."""

    def __init__(self, metrics: Exposition) -> None:
        self._count = metrics.requests_refused
        self._lines = TokenBucket(LINES_PER_S, LINES_AT_ONCE, time.monotonic())
        self._unsaid = 0

    def count(self, status: int) -> bool:
        """Count an answer if it is a refusal; return whether it is one."""
        is_refusal = 400 <= status < 500
        if is_refusal:
            self._count.labels(status).inc()
        return is_refusal

    def note(self, status: int, address: str) -> None:
        """Count an answer if it is a refusal, and log it."""
        if self.count(status) and status not in SAID:
            self.say("request refused", status=status, address=address)

    def say(self, event: str, **fields: object) -> None:
        """Log a line; if there is no room for it, the next one counts it as `unsaid`."""
        if self._lines.take(time.monotonic()):
            logger.warning(event, **fields, unsaid=self._unsaid)
            self._unsaid = 0
        else:
            self._unsaid += 1

"""A clock that is set forward: what is due by then happens at once.

The timers of an event loop run by its own time. A test sets limits that no machine is slow enough
to meet, and lets the time of one pass when what matters has happened.
"""

from __future__ import annotations

import asyncio


class Clock:
    """The time of one event loop of asyncio; it goes on as always until it is set forward."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ahead_s = 0.0
        real = loop.time
        loop.time = lambda: real() + self._ahead_s  # type: ignore[method-assign]

    def forward(self, seconds: float) -> None:
        """Let so much time pass for all that the loop has planned, limits of the test included."""
        self._ahead_s += seconds

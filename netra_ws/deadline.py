"""When the time of a peer is over, although this process may not have run meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Judge = Callable[[], object]


class Deadline:
    """Calls `judge` once, `limit_s` after `since`, or after now; `cancel` undoes it.

    A process that was paused, or whose loop was blocked, has read nothing meanwhile. So a deadline
    that comes late waits for as long again as it was late, at most for `limit_s`: within as long
    as a silence has lasted, TCP sends again (RFC 6298 section 5.5). Then the loop takes two turns,
    in one of which it reads whatever the system has.
    """

    __slots__ = ("_handle", "_limit_s", "_loop", "_since")

    def __init__(self, limit_s: float, judge: Judge, since: float | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit_s = limit_s
        self._since = self._loop.time() if since is None else since
        due = self._since + limit_s
        self._handle: asyncio.Handle = self._loop.call_at(due, self._come, judge)

    def _come(self, judge: Judge) -> None:
        late_s = self._loop.time() - self._since - self._limit_s
        extra_s = max(0.0, min(late_s, self._limit_s))
        self._handle = self._loop.call_later(extra_s, self._turn, judge)

    def _turn(self, judge: Judge) -> None:
        self._handle = self._loop.call_soon(self._turn_again, judge)

    def _turn_again(self, judge: Judge) -> None:
        self._handle = self._loop.call_soon(judge)

    def cancel(self) -> None:
        """Judge no more; harmless when repeated, or afterwards."""
        self._handle.cancel()


@asynccontextmanager
async def time_limit(limit_s: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` at a `Deadline`, as `asyncio.timeout` does."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        deadline = Deadline(limit_s, lambda: timeout.reschedule(loop.time()))
        try:
            yield
        finally:
            deadline.cancel()

"""The embedded event log: in the memory of the process, bounded per user."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from secrets import token_hex

from netra_ws.context import SERVICE_PREFIX
from netra_ws.errors import CursorBehind
from netra_ws.event_log import Position
from netra_ws.settings import Settings


class MemoryCursor:
    """A `netra_ws.event_log.Cursor` over a `MemoryUserLog`."""

    __slots__ = ("_log", "lost", "recovered", "seq", "wake")

    def __init__(
        self,
        log: MemoryUserLog,
        seq: int,
        recovered: bool | None,
        lost: int | None,
        wake: Callable[[], None],
    ) -> None:
        self._log = log
        self.seq = seq
        self.recovered = recovered
        self.lost = lost
        self.wake = wake

    @property
    def position(self) -> Position:
        """See `Cursor`."""
        return Position(self._log.epoch, self.seq)

    @property
    def pending(self) -> int:
        """See `Cursor`."""
        return self._log.head - self.seq

    def take(self, max_bytes: int) -> list[bytes]:
        """See `Cursor`."""
        events = self._log.events
        pending = self._log.head - self.seq
        if pending > len(events):
            raise CursorBehind(pending - len(events))
        taken: list[bytes] = []
        size = 0
        for index in range(-pending, 0):
            size += len(events[index])
            if taken and size > max_bytes:
                break
            taken.append(events[index])
        self.seq += len(taken)
        return taken

    def close(self) -> None:
        """See `Cursor`."""
        self._log.cursors.pop(self, None)


class MemoryUserLog:
    """A `netra_ws.event_log.UserLog` that keeps the newest events, and forgets at exit."""

    __slots__ = ("_bytes", "_max_bytes", "_max_events", "cursors", "epoch", "events", "head")

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self.epoch = token_hex(8)
        self.head = 0
        self.events: deque[bytes] = deque()
        # A dict keeps the cursors in the order in which they came; a set would not.
        self.cursors: dict[MemoryCursor, None] = {}
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes

    def append(self, encode: Callable[[Position], bytes]) -> bytes:
        """See `UserLog`."""
        event = encode(Position(self.epoch, self.head + 1))
        self.head += 1
        self.events.append(event)
        self._bytes += len(event)
        # The newest event stays even if it alone is over the bound: it was accepted.
        while len(self.events) > self._max_events or (
            self._bytes > self._max_bytes and len(self.events) > 1
        ):
            self._bytes -= len(self.events.popleft())
        for cursor in tuple(self.cursors):
            cursor.wake()
        return event

    def cursor(self, after: Position | None, wake: Callable[[], None]) -> MemoryCursor:
        """See `UserLog`."""
        oldest = self.head - len(self.events)
        recovered: bool | None
        lost: int | None
        if after is None:
            seq, recovered, lost = self.head, None, 0
        elif after.epoch != self.epoch or after.seq > self.head:
            # Another log gave this position: what lies between is not known.
            seq, recovered, lost = oldest, False, None
        elif after.seq < oldest:
            seq, recovered, lost = oldest, False, oldest - after.seq
        else:
            seq, recovered, lost = after.seq, True, 0
        cursor = MemoryCursor(self, seq, recovered, lost, wake)
        self.cursors[cursor] = None
        return cursor


class MemoryEventLog:
    """A `netra_ws.event_log.EventLog` that needs nothing installed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._logs: dict[str, MemoryUserLog] = {}

    def user(self, user_id: str) -> MemoryUserLog:
        """See `EventLog`."""
        log = self._logs.get(user_id)
        if log is None:
            is_service = user_id.startswith(SERVICE_PREFIX)
            settings = self._settings
            events = settings.service_retained_events if is_service else settings.retained_events
            log = self._logs[user_id] = MemoryUserLog(events, settings.retained_bytes)
        return log

"""The embedded event log: in the memory of the process, bounded per user and altogether."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from secrets import token_hex

from netra_ws.context import SERVICE_PREFIX
from netra_ws.errors import CursorBehind
from netra_ws.event_log import Position
from netra_ws.settings import Settings


class MemoryCursor:
    """A `netra_ws.event_log.Cursor` over a `MemoryUserLog`."""

    __slots__ = ("_log", "_read_bytes", "lost", "recovered", "seq", "wake")

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
        # Where it is in all bytes that were ever appended: what is pending is then a difference.
        events = log.events
        replayed = (len(events[index]) for index in range(-(log.head - seq), 0))
        self._read_bytes = log.appended_bytes - sum(replayed)

    @property
    def position(self) -> Position:
        """See `Cursor`."""
        return Position(self._log.epoch, self.seq)

    @property
    def pending(self) -> int:
        """See `Cursor`."""
        return self._log.head - self.seq

    @property
    def half_behind(self) -> bool:
        """See `Cursor`."""
        log = self._log
        return (
            2 * (log.head - self.seq) >= log.max_events
            or 2 * (log.appended_bytes - self._read_bytes) >= log.max_bytes
        )

    @property
    def trimmed_by(self) -> str:
        """See `Cursor`."""
        return self._log.trimmed_by

    def take(self, max_bytes: int) -> list[bytes]:
        """See `Cursor`."""
        events = self._log.events
        pending = self._log.head - self.seq
        if pending > len(events):
            raise CursorBehind(pending - len(events))
        taken: list[bytes] = []
        size = 0
        for index in range(-pending, 0):
            event = events[index]
            if taken and size + len(event) > max_bytes:
                break
            size += len(event)
            taken.append(event)
        self.seq += len(taken)
        self._read_bytes += size
        return taken

    def close(self) -> None:
        """See `Cursor`."""
        self._log.cursors.pop(self, None)


class MemoryUserLog:
    """A `netra_ws.event_log.UserLog` that keeps the newest events, and forgets at exit."""

    __slots__ = (
        "_logs",
        "appended_bytes",
        "cursors",
        "epoch",
        "events",
        "head",
        "kept_bytes",
        "max_bytes",
        "max_events",
        "trimmed_by",
    )

    def __init__(self, logs: MemoryEventLog, max_events: int, max_bytes: int) -> None:
        self.epoch = token_hex(8)
        self.head = 0
        self.events: deque[bytes] = deque()
        # A dict keeps the cursors in the order in which they came; a set would not.
        self.cursors: dict[MemoryCursor, None] = {}
        self.appended_bytes = 0
        self.kept_bytes = 0
        self.max_events = max_events
        self.max_bytes = max_bytes
        self.trimmed_by = ""
        self._logs = logs

    def append(self, encode: Callable[[Position], bytes]) -> bytes:
        """See `UserLog`."""
        event = encode(Position(self.epoch, self.head + 1))
        self.head += 1
        self.events.append(event)
        self.appended_bytes += len(event)
        self.kept_bytes += len(event)
        self._logs.kept_bytes += len(event)
        # The newest event stays even if it alone is over the bound: it was accepted.
        while len(self.events) > self.max_events:
            self.trim("retained_events")
        while self.kept_bytes > self.max_bytes and len(self.events) > 1:
            self.trim("retained_bytes")
        self._logs.appended(self)
        for cursor in tuple(self.cursors):
            cursor.wake()
        return event

    def trim(self, limit: str) -> None:
        """Forget the oldest event, because of the setting `limit`."""
        self.trimmed_by = limit
        size = len(self.events.popleft())
        self.kept_bytes -= size
        self._logs.kept_bytes -= size

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
        self.kept_bytes = 0
        self._settings = settings
        self._logs: dict[str, MemoryUserLog] = {}
        self._by_append: OrderedDict[MemoryUserLog, None] = OrderedDict()

    def user(self, user_id: str) -> MemoryUserLog:
        """See `EventLog`."""
        log = self._logs.get(user_id)
        if log is None:
            is_service = user_id.startswith(SERVICE_PREFIX)
            settings = self._settings
            events = settings.service_retained_events if is_service else settings.retained_events
            log = self._logs[user_id] = MemoryUserLog(self, events, settings.retained_bytes)
        return log

    def drop(self, user_id: str) -> None:
        """See `EventLog`."""
        log = self._logs.pop(user_id, None)
        if log is not None:
            self.kept_bytes -= log.kept_bytes
            self._by_append.pop(log, None)

    def appended(self, log: MemoryUserLog) -> None:
        """Note that `log` has a new event, and keep all logs together within their bound."""
        logs = self._by_append
        logs[log] = None
        logs.move_to_end(log)
        while self.kept_bytes > self._settings.retained_bytes_total:
            oldest = next(iter(logs))
            if oldest is log and len(log.events) == 1:
                break  # the newest event stays: it was accepted
            oldest.trim("retained_bytes_total")
            if not oldest.events:
                del logs[oldest]

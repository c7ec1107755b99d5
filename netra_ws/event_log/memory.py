"""The embedded event log: in the memory of the process, bounded per user and altogether."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from secrets import token_hex

from netra_ws.context import is_service
from netra_ws.errors import CursorBehind
from netra_ws.event_log import START, Position
from netra_ws.settings import Settings


@dataclass(slots=True, eq=False, repr=False)
class Cursor:
    """A reader's place in one user's log."""

    _log: MemoryUserLog
    seq: int
    """The number of the last event that was taken."""
    recovered: bool | None
    """Whether nothing was lost; `None` if no position was asked for."""
    lost: int | None
    """How many events were lost; `None` if that is not known."""
    wake: Callable[[], None]
    _read_bytes: int
    """Where it is among all bytes that were ever appended: what is pending is a difference."""

    @property
    def position(self) -> Position:
        """The place up to which everything was taken."""
        return Position(self._log.epoch, self.seq)

    @property
    def head(self) -> int:
        """The number of the newest event in the log."""
        return self._log.head

    @property
    def pending(self) -> int:
        """How many events wait to be taken."""
        return self._log.head - self.seq

    @property
    def half_behind(self) -> bool:
        """Whether half of what the log retains waits to be taken: more could push it out."""
        log = self._log
        pending_bytes = log.appended_bytes - self._read_bytes
        return 2 * (log.head - self.seq) >= log.max_events or 2 * pending_bytes >= log.max_bytes

    @property
    def trimmed_by(self) -> str:
        """The setting because of which events left the log last, empty if none ever did."""
        return self._log.trimmed_by

    def take(self, max_bytes: int) -> list[bytes]:
        """Return the next events as sent: as many as fit into `max_bytes`, at least one if any.

        Raises `CursorBehind` if events left the retained window before they were taken.
        """
        log = self._log
        events = log.events
        pending = log.head - self.seq
        if pending > len(events):
            lost = pending - len(events)
            raise CursorBehind(f"{lost} events left the retained window before they were read")
        if log.appended_bytes - self._read_bytes <= max_bytes:
            self.seq = log.head
            self._read_bytes = log.appended_bytes
            return [events[index] for index in range(-pending, 0)]
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
        """Stop waking; harmless when repeated."""
        log = self._log
        log.cursors = tuple(cursor for cursor in log.cursors if cursor is not self)
        self.wake = lambda: None  # the reader refers to the cursor, and is to be freed


@dataclass(slots=True, eq=False, repr=False)
class MemoryUserLog:
    """A `netra_ws.event_log.UserLog` that keeps the newest events, and forgets at exit."""

    _logs: MemoryEventLog
    max_events: int
    max_bytes: int
    epoch: str = field(default_factory=lambda: token_hex(8))
    head: int = 0
    events: deque[bytes] = field(default_factory=deque)
    cursors: tuple[Cursor, ...] = ()
    appended_at: int = 0
    """The number of its newest event among all that the process has appended."""
    appended_bytes: int = 0
    kept_bytes: int = 0
    trimmed_by: str = ""

    @property
    def half_behind(self) -> bool:
        """See `UserLog`."""
        return any(cursor.half_behind for cursor in self.cursors)

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        """See `UserLog`."""
        head = self.head + 1
        event = encode(self.epoch, head)
        size = len(event)
        events, logs = self.events, self._logs
        events.append(event)
        self.head = head
        self.appended_bytes += size
        self.appended_at = logs.appends = logs.appends + 1
        if len(events) > self.max_events:
            self.trimmed_by = "retained_events"
            size -= len(events.popleft())
        self.kept_bytes += size
        logs.kept_bytes += size
        # The newest event stays even if it alone is over the bound: it was accepted.
        while self.kept_bytes > self.max_bytes and len(events) > 1:
            self.trim("retained_bytes")
        if logs.kept_bytes > logs.max_bytes:
            logs.shrink(self)
        for cursor in self.cursors:
            cursor.wake()
        return event

    def trim(self, limit: str) -> None:
        """Forget the oldest event because of a limit."""
        self.trimmed_by = limit
        size = len(self.events.popleft())
        self.kept_bytes -= size
        self._logs.kept_bytes -= size

    def cursor(self, after: Position | None, wake: Callable[[], None]) -> Cursor:
        """See `UserLog`."""
        oldest = self.head - len(self.events)
        place: tuple[int, bool | None, int | None] = self.head, None, 0
        if after is not None:
            place = oldest, False, None  # should another log have given it
            if after == START or (after.epoch == self.epoch and after.seq <= self.head):
                lost = max(0, oldest - after.seq)
                place = after.seq + lost, not lost, lost
        replayed = islice(reversed(self.events), self.head - place[0])
        cursor = Cursor(self, *place, wake, self.appended_bytes - sum(map(len, replayed)))
        self.cursors += (cursor,)
        return cursor


class MemoryEventLog:
    """A `netra_ws.event_log.EventLog` that needs nothing installed."""

    def __init__(self, settings: Settings) -> None:
        self.kept_bytes = self.appends = 0
        self.max_bytes = settings.retained_bytes_total
        self._settings = settings
        self._logs: dict[str, MemoryUserLog] = {}
        self._unused_epochs: OrderedDict[str, str] = OrderedDict()
        # Sorted only when memory is short: an order kept up to date costs each event more.
        self._silent: deque[tuple[int, MemoryUserLog]] = deque()

    def user(self, user_id: str) -> MemoryUserLog:
        """See `EventLog`."""
        log = self._logs.get(user_id)
        if log is None:
            limits = self._settings
            service = is_service(user_id)
            events = limits.service_retained_events if service else limits.retained_events
            log = self._logs[user_id] = MemoryUserLog(self, events, limits.retained_bytes)
            log.epoch = self._unused_epochs.pop(user_id, log.epoch)
        return log

    def drop(self, user_id: str) -> None:
        """See `EventLog`."""
        log = self._logs.pop(user_id, None)
        if log is not None:
            self.kept_bytes -= log.kept_bytes
            log.appended_at = 0  # so that `_silent_for_longest` passes over it
            if not log.head:
                self._unused_epochs[user_id] = log.epoch
                if len(self._unused_epochs) > self._settings.max_connections:
                    self._unused_epochs.popitem(last=False)

    def shrink(self, newest: MemoryUserLog) -> None:
        """Trim the logs that have been silent for longest, to keep all within their bound."""
        while self.kept_bytes > self.max_bytes:
            oldest = self._silent_for_longest() or newest
            if oldest is newest and len(newest.events) == 1:
                break  # the newest event stays: it was accepted
            oldest.trim("retained_bytes_total")

    def _silent_for_longest(self) -> MemoryUserLog | None:
        """Return the log with events whose newest one is the oldest."""
        for _ in range(2):
            while self._silent:
                appended_at, log = self._silent[0]
                if log.appended_at == appended_at and log.events:
                    return log
                self._silent.popleft()  # it has had an event since, has none left, or is gone
            keeping = ((log.appended_at, log) for log in self._logs.values() if log.events)
            self._silent.extend(sorted(keeping))
        return None

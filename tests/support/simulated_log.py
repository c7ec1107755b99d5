"""An event log that writes down what goes into it: the reference by which delivery is judged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakSet

from netra_ws.context import SERVICE_PREFIX
from netra_ws.event_log import START, EventLog, Position, UserLog
from netra_ws.event_log.memory import Cursor
from netra_ws.settings import Settings


class Opening(NamedTuple):
    """What a cursor over a user's log must be told about the position it asked for."""

    user_id: str
    asked: Position | None
    position: Position
    recovered: bool | None
    lost: int | None


class Record:
    """What went into all logs, and which of it the bounds still keep: the reference.

    `events` holds everything ever appended, by user and epoch; `cursors` those not yet closed.
    """

    def __init__(self, settings: Settings) -> None:
        self.events: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        self.killed: set[tuple[str, str]] = set()
        self.openings: Counter[Opening] = Counter()
        self.cursors: set[RecordedCursor] = set()
        self.living: WeakSet[RecordedCursor] = WeakSet()
        self._settings = settings
        self._oldest: dict[tuple[str, str], int] = {}  # in the order of the last append

    def window(self, log: tuple[str, str]) -> list[bytes]:
        """Return the events that are kept of a log."""
        return self.events[log][self._oldest.get(log, 0) :]

    def append(self, log: tuple[str, str], position: Position, event: bytes) -> None:
        events = self.events[log]
        assert position == (log[1], len(events) + 1), f"{position} after {len(events)} events"
        events.append(event)
        settings = self._settings
        service = log[0].startswith(SERVICE_PREFIX)
        limit = settings.service_retained_events if service else settings.retained_events
        self._oldest[log] = oldest = self._oldest.pop(log, 0)
        while len(events) - oldest > 1 and (
            len(events) - oldest > limit or sum(map(len, events[oldest:])) > settings.retained_bytes
        ):
            oldest += 1
        self._oldest[log] = oldest
        self._trim_all(log)

    def _trim_all(self, newest: tuple[str, str]) -> None:
        """Keep to the bound on all logs together, the one that was silent longest first."""
        excess = sum(len(event) for log in self._oldest for event in self.window(log))
        excess -= self._settings.retained_bytes_total
        for log in tuple(self._oldest):
            kept = self.window(log)[: -1 if log == newest else None]
            for event in kept:
                if excess <= 0:
                    return
                self._oldest[log] += 1
                excess -= len(event)

    def forget(self, log: tuple[str, str]) -> None:
        """A log was dropped; what clients have of it remains true."""
        self._oldest.pop(log, None)

    def opening(self, log: tuple[str, str], asked: Position | None) -> Opening:
        head, oldest = len(self.events[log]), self._oldest.get(log, 0)
        if asked is None:
            return Opening(log[0], None, Position(log[1], head), None, 0)
        if asked != START and (asked.epoch != log[1] or asked.seq > head):
            return Opening(log[0], asked, Position(log[1], oldest), False, None)
        lost = max(0, oldest - asked.seq)
        return Opening(log[0], asked, Position(log[1], asked.seq + lost), not lost, lost)

    def runs(self) -> dict[str, list[bytes]]:
        """Return the events of each run, but for those that were killed with their process."""
        runs: dict[str, list[bytes]] = defaultdict(list)
        for log, events in self.events.items():
            if log not in self.killed and not log[0].startswith(SERVICE_PREFIX):
                for event in events:
                    runs[json.loads(event)["run_id"]].append(event)
        return runs


class RecordedCursor:
    """A cursor that is known to be open until it is closed."""

    def __init__(self, inner: Cursor, record: Record, user_id: str) -> None:
        self._inner = inner
        self._record = record
        self.user_id = user_id
        self.take = inner.take
        record.cursors.add(self)
        record.living.add(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        self._record.cursors.discard(self)
        self._inner.close()


class RecordedUserLog:
    """A user's log that writes down what is appended, and what each cursor must be told."""

    def __init__(self, inner: UserLog, user_id: str, record: Record) -> None:
        self._inner = inner
        self._record = record
        self.name = user_id, inner.epoch
        self.recording = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        def encode_and_record(epoch: str, seq: int) -> bytes:
            event = encode(epoch, seq)
            if self.recording:
                self._record.append(self.name, Position(epoch, seq), event)
            return event

        return self._inner.append(encode_and_record)

    def cursor(self, after: Position | None, wake: Callable[[], None]) -> RecordedCursor:
        self._record.openings[self._record.opening(self.name, after)] += 1
        return RecordedCursor(self._inner.cursor(after, wake), self._record, self.name[0])

    def kept(self) -> int:
        """Return how many events are kept, as the log itself says."""
        cursor = self._inner.cursor(Position("no epoch", 0), lambda: None)
        cursor.close()
        return self._inner.head - cursor.position.seq


class RecordedEventLog:
    """An event log of any implementation, recorded.

    `asked_for`: the users whose log this process has asked for.
    """

    def __init__(self, inner: EventLog, record: Record) -> None:
        self.record = record
        self.logs: dict[str, RecordedUserLog] = {}
        self.asked_for: set[str] = set()
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def user(self, user_id: str) -> RecordedUserLog:
        self.asked_for.add(user_id)
        inner = self._inner.user(user_id)
        log = self.logs.get(user_id)
        if log is None or log.name[1] != inner.epoch:
            self.logs[user_id] = log = RecordedUserLog(inner, user_id, self.record)
        return log

    def drop(self, user_id: str) -> None:
        readers = [cursor for cursor in self.record.cursors if cursor.user_id == user_id]
        assert not readers, f"the log of {user_id} was dropped under {len(readers)} cursors"
        self.record.forget(self.logs.pop(user_id).name)
        self._inner.drop(user_id)

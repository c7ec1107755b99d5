"""The contract of an event log, for every implementation: seq, cursors, bounds and isolation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

from netra_ws.errors import CursorBehind
from netra_ws.event_log import START, EventLog, Position, UserLog
from netra_ws.event_log.memory import Cursor, MemoryEventLog
from netra_ws.settings import Settings

EventLogFactory = Callable[..., EventLog]


class Listed(NamedTuple):
    """An event in the one list."""

    user_id: str
    event: bytes


class ListEventLog:
    """The plainest event log: all events of all users in one list, searched for every question.

    It shares nothing with the one that ships, and shows that the suite asks for no more than the
    protocol says.
    """

    _epochs = count()

    def __init__(self, limits: Settings) -> None:
        self.limits = limits
        self.listed: list[Listed] = []
        self.heads: dict[str, Position] = {}
        self.unused: dict[str, Position] = {}
        self.cursors: list[ListCursor] = []

    def user(self, user_id: str) -> ListUserLog:
        if user_id not in self.heads:
            new = Position(f"epoch {next(self._epochs)}", 0)
            self.heads[user_id] = self.unused.pop(user_id, new)
        return ListUserLog(self, user_id)

    def drop(self, user_id: str) -> None:
        dropped = self.heads.pop(user_id, None)
        if dropped and dropped.seq == 0:
            self.unused[user_id] = dropped
        self.listed = [kept for kept in self.listed if kept.user_id != user_id]

    def trim(self, user_id: str) -> None:
        oldest = next(kept for kept in self.listed if kept.user_id == user_id)
        del self.listed[self.listed.index(oldest)]

    def trim_all(self) -> None:
        while (
            sum(len(kept.event) for kept in self.listed) > self.limits.retained_bytes_total
            and len(self.listed) > 1
        ):
            newest_of_each = {kept.user_id: at for at, kept in enumerate(self.listed)}
            self.trim(min(newest_of_each, key=lambda user_id: newest_of_each[user_id]))


class ListUserLog:
    """The events of one user in that list."""

    def __init__(self, logs: ListEventLog, user_id: str) -> None:
        self.logs = logs
        self.user_id = user_id
        limits = logs.limits
        is_service = user_id.startswith("service:")
        self.max_events = limits.service_retained_events if is_service else limits.retained_events

    @property
    def epoch(self) -> str:
        return self.logs.heads[self.user_id].epoch

    @property
    def head(self) -> int:
        return self.logs.heads[self.user_id].seq

    def kept(self) -> list[bytes]:
        return [kept.event for kept in self.logs.listed if kept.user_id == self.user_id]

    @property
    def half_behind(self) -> bool:
        cursors = self.logs.cursors
        return any(one.half_behind for one in cursors if one.log.user_id == self.user_id)

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        position = Position(self.epoch, self.head + 1)
        event = encode(*position)
        self.logs.heads[self.user_id] = position
        self.logs.listed.append(Listed(self.user_id, event))
        while len(kept := self.kept()) > 1 and (
            len(kept) > self.max_events or sum(map(len, kept)) > self.logs.limits.retained_bytes
        ):
            self.logs.trim(self.user_id)
        self.logs.trim_all()
        for cursor in tuple(self.logs.cursors):
            if cursor.log.user_id == self.user_id:
                cursor.wake()
        return event

    def cursor(self, after: Position | None, wake: Callable[[], None]) -> ListCursor:
        oldest = self.head - len(self.kept())
        if after is None:
            place: tuple[int, bool | None, int | None] = self.head, None, 0
        elif after != START and (after.epoch != self.epoch or after.seq > self.head):
            place = oldest, False, None
        else:
            lost = max(0, oldest - after.seq)
            place = after.seq + lost, not lost, lost
        cursor = ListCursor(self, *place, wake)
        self.logs.cursors.append(cursor)
        return cursor


@dataclass(eq=False)
class ListCursor:
    """A place in that list."""

    log: ListUserLog
    seq: int
    recovered: bool | None
    lost: int | None
    wake: Callable[[], None]

    @property
    def position(self) -> Position:
        return Position(self.log.epoch, self.seq)

    @property
    def head(self) -> int:
        return self.log.head

    @property
    def pending(self) -> int:
        return self.log.head - self.seq

    @property
    def half_behind(self) -> bool:
        waiting = self.log.kept()[-self.pending :] if self.pending else []
        size = sum(map(len, waiting))
        limits = self.log.logs.limits
        return 2 * self.pending >= self.log.max_events or 2 * size >= limits.retained_bytes

    def take(self, max_bytes: int) -> list[bytes]:
        kept = self.log.kept()
        if self.pending > len(kept):
            raise CursorBehind(f"{self.pending - len(kept)} events left the retained window")
        taken: list[bytes] = []
        for event in kept[len(kept) - self.pending :]:
            if taken and sum(map(len, taken)) + len(event) > max_bytes:
                break
            taken.append(event)
        self.seq += len(taken)
        return taken

    def close(self) -> None:
        if self in self.log.logs.cursors:
            self.log.logs.cursors.remove(self)


IMPLEMENTATIONS: dict[str, Callable[[Settings], EventLog]] = {
    "memory": MemoryEventLog,
    "list": ListEventLog,
}
"""Another implementation is tested by its line here."""

ALL = 1 << 30


@pytest.fixture(scope="module", params=IMPLEMENTATIONS.values(), ids=list(IMPLEMENTATIONS))
def event_log(request: pytest.FixtureRequest) -> EventLogFactory:
    """A function that makes an empty log of the implementation under test, with some limits."""
    implementation: Callable[[Settings], EventLog] = request.param

    def make(**limits: int) -> EventLog:
        settings = Settings()
        for name, limit in limits.items():  # bounds as narrow as no process may have them
            msgspec.structs.force_setattr(settings, name, limit)
        return implementation(settings)

    return make


def nothing() -> None:
    """Be woken, and do nothing."""


def numbered(_epoch: str, seq: int) -> bytes:
    return b"event %d" % seq


def fill(log: UserLog, count: int) -> list[bytes]:
    return [log.append(numbered) for _ in range(count)]


def test_a_user_has_one_log(event_log: EventLogFactory) -> None:
    logs = event_log()
    fill(logs.user("ann"), 1)
    assert logs.user("ann").head == 1
    assert logs.user("ann").epoch == logs.user("ann").epoch


def test_a_new_log_is_empty(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    cursor = log.cursor(None, nothing)
    assert log.head == 0
    assert (cursor.pending, cursor.take(ALL)) == (0, [])
    assert cursor.position == Position(log.epoch, 0)


@given(count=st.integers(0, 40))
def test_seq_counts_from_one_without_a_gap(event_log: EventLogFactory, count: int) -> None:
    log = event_log(retained_events=8).user("ann")
    positions: list[Position] = []

    def encode(epoch: str, seq: int) -> bytes:
        positions.append(Position(epoch, seq))
        return b"event"

    for _ in range(count):
        log.append(encode)
    assert positions == [Position(log.epoch, seq) for seq in range(1, count + 1)]
    assert log.head == count


def test_append_returns_what_encode_made(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    made = [b"\x00", "ü".encode(), b"{}"]
    assert [log.append(lambda *_, event=event: event) for event in made] == made  # type: ignore[misc]


def test_a_cursor_reads_what_append_returned(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    cursor = log.cursor(None, nothing)
    assert cursor.take(ALL) == []
    assert fill(log, 3) == cursor.take(ALL)


def test_a_new_cursor_starts_at_the_head(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    fill(log, 3)
    cursor = log.cursor(None, nothing)
    assert (cursor.pending, cursor.take(ALL)) == (0, [])
    assert (cursor.recovered, cursor.lost) == (None, 0)
    assert cursor.position == Position(log.epoch, 3)


def test_two_cursors_read_the_same(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    one, other = log.cursor(None, nothing), log.cursor(None, nothing)
    appended = fill(log, 3)
    assert one.take(ALL) == appended
    assert other.take(ALL) == appended


def test_reading_moves_the_position(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    cursor = log.cursor(None, nothing)
    fill(log, 3)
    cursor.take(1)
    assert cursor.position == Position(log.epoch, 1)
    assert cursor.pending == 2


# Resuming


@given(appended=st.integers(0, 30), retained=st.integers(1, 12))
def test_every_retained_position_resumes_without_gap_or_duplicate(
    event_log: EventLogFactory, appended: int, retained: int
) -> None:
    log = event_log(retained_events=retained).user("ann")
    everything = fill(log, appended)
    for seq in range(max(0, appended - retained), appended + 1):
        cursor = log.cursor(Position(log.epoch, seq), nothing)
        assert (cursor.recovered, cursor.lost) == (True, 0)
        assert cursor.take(ALL) == everything[seq:]


@given(appended=st.integers(2, 30), retained=st.integers(1, 12), data=st.data())
def test_a_trimmed_position_says_how_much_was_lost(
    event_log: EventLogFactory, appended: int, retained: int, data: st.DataObject
) -> None:
    log = event_log(retained_events=min(retained, appended - 1)).user("ann")
    everything = fill(log, appended)
    oldest = appended - min(retained, appended - 1)
    seq = data.draw(st.integers(0, oldest - 1))
    cursor = log.cursor(Position(log.epoch, seq), nothing)
    assert (cursor.recovered, cursor.lost) == (False, oldest - seq)
    assert cursor.position == Position(log.epoch, oldest)
    assert cursor.take(ALL) == everything[oldest:]


def test_an_unknown_epoch_is_a_loss_of_unknown_size(event_log: EventLogFactory) -> None:
    log = event_log(retained_events=2).user("ann")
    everything = fill(log, 3)
    cursor = log.cursor(Position("another epoch", 3), nothing)
    assert (cursor.recovered, cursor.lost) == (False, None)
    assert cursor.take(ALL) == everything[1:]


def test_an_unknown_epoch_is_a_loss_even_in_an_empty_log(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    cursor = log.cursor(Position("another epoch", 0), nothing)
    assert (cursor.recovered, cursor.lost) == (False, None)
    assert cursor.position == Position(log.epoch, 0)


def test_a_position_ahead_of_the_head_is_a_loss_of_unknown_size(
    event_log: EventLogFactory,
) -> None:
    log = event_log().user("ann")
    everything = fill(log, 2)
    cursor = log.cursor(Position(log.epoch, 3), nothing)
    assert (cursor.recovered, cursor.lost) == (False, None)
    assert cursor.take(ALL) == everything


@dataclass
class Reader:
    """A cursor with what it must have read by now: all from `start` on."""

    cursor: Cursor
    start: int
    read: list[bytes] = field(default_factory=list)


class Readers(RuleBasedStateMachine):
    """Appends, takes, new cursors and resumed ones in any order; no reader misses or repeats."""

    make: EventLogFactory
    readers = Bundle("readers")

    def __init__(self) -> None:
        super().__init__()
        self.log = self.make(retained_events=10_000).user("ann")
        self.everything: list[bytes] = []

    def _reader(self, after: Position | None, start: int) -> Reader:
        return Reader(self.log.cursor(after, nothing), start)

    @initialize(target=readers)
    def first_cursor(self) -> Reader:
        return self._reader(None, 0)

    @rule(size=st.integers(0, 40))
    def append(self, size: int) -> None:
        self.everything.append(self.log.append(lambda *place: numbered(*place).ljust(size)))

    @rule(target=readers)
    def new_cursor(self) -> Reader:
        return self._reader(None, len(self.everything))

    @rule(target=readers, reader=readers)
    def reconnect(self, reader: Reader) -> Reader:
        reader.cursor.close()
        position = reader.cursor.position
        return self._reader(position, position.seq)

    @rule(target=readers, data=st.data())
    def resume(self, data: st.DataObject) -> Any:
        seq = data.draw(st.integers(0, len(self.everything)))
        reader = self._reader(Position(self.log.epoch, seq), seq)
        assert reader.cursor.recovered is True
        return multiple(reader)

    @rule(reader=readers, max_bytes=st.integers(0, 100))
    def take(self, reader: Reader, max_bytes: int) -> None:
        reader.read += reader.cursor.take(max_bytes)
        end = reader.start + len(reader.read)
        assert reader.read == self.everything[reader.start : end]
        assert reader.cursor.pending == len(self.everything) - end
        assert reader.cursor.position == Position(self.log.epoch, end)

    @rule(reader=readers)
    def take_everything(self, reader: Reader) -> None:
        reader.read += reader.cursor.take(ALL)
        assert reader.read == self.everything[reader.start :]


def test_no_interleaving_loses_repeats_or_reorders_an_event(event_log: EventLogFactory) -> None:
    machine = type("ReadersOfOneImplementation", (Readers,), {"make": staticmethod(event_log)})
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=30))


# Taking


@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=15), max_bytes=st.integers(0, 60))
def test_a_take_is_at_least_one_event_and_else_as_many_as_fit(
    event_log: EventLogFactory, sizes: list[int], max_bytes: int
) -> None:
    log = event_log().user("ann")
    cursor = log.cursor(None, nothing)
    for size in sizes:
        log.append(lambda *_, size=size: b"x" * size)  # type: ignore[misc]
    while cursor.pending:
        before = cursor.position.seq
        taken = cursor.take(max_bytes)
        total = sum(map(len, taken))
        assert taken
        assert len(taken) == 1 or total <= max_bytes
        following = sizes[before + len(taken) : before + len(taken) + 1]
        assert not following or total + following[0] > max_bytes


def test_a_cursor_that_was_overtaken_says_how_much_it_lost(event_log: EventLogFactory) -> None:
    log = event_log(retained_events=3).user("ann")
    cursor = log.cursor(None, nothing)
    fill(log, 5)
    with pytest.raises(CursorBehind, match=r"^2 events"):
        cursor.take(ALL)


def test_a_cursor_at_the_edge_of_the_window_has_lost_nothing(event_log: EventLogFactory) -> None:
    log = event_log(retained_events=3).user("ann")
    cursor = log.cursor(None, nothing)
    appended = fill(log, 3)
    assert cursor.take(ALL) == appended


def test_a_cursor_that_was_overtaken_stays_where_it_was(event_log: EventLogFactory) -> None:
    log = event_log(retained_events=3).user("ann")
    cursor = log.cursor(None, nothing)
    fill(log, 5)
    for _ in range(2):
        with pytest.raises(CursorBehind):
            cursor.take(ALL)
    assert cursor.position == Position(log.epoch, 0)


def test_an_overtaken_cursor_leaves_the_others_alone(event_log: EventLogFactory) -> None:
    log = event_log(retained_events=3).user("ann")
    slow, quick = log.cursor(None, nothing), log.cursor(None, nothing)
    appended = []
    for _ in range(5):
        appended += fill(log, 1)
        assert quick.take(ALL) == appended[-1:]
    with pytest.raises(CursorBehind):
        slow.take(ALL)


# Waking


def test_a_cursor_is_woken_at_each_append(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    heads: list[int] = []
    log.cursor(None, lambda: heads.append(log.head))
    fill(log, 3)
    assert heads == [1, 2, 3]


def test_a_woken_cursor_finds_the_event(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    found: list[bytes] = []
    cursor = log.cursor(None, lambda: found.extend(cursor.take(ALL)))
    assert fill(log, 3) == found


def test_opening_a_cursor_wakes_nobody(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    fill(log, 1)
    woken: list[int] = []
    log.cursor(Position(log.epoch, 0), lambda: woken.append(1))
    assert woken == []


def test_a_closed_cursor_is_not_woken(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    woken: list[str] = []
    closed = log.cursor(None, lambda: woken.append("closed"))
    log.cursor(None, lambda: woken.append("open"))
    closed.close()
    closed.close()
    fill(log, 1)
    assert woken == ["open"]


def test_a_cursor_may_close_itself_when_woken(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    woken: list[int] = []

    def once() -> None:
        woken.append(log.head)
        cursor.close()

    cursor = log.cursor(None, once)
    fill(log, 2)
    assert woken == [1]


# Refused events


def test_an_event_that_cannot_be_encoded_is_not_there(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    woken: list[int] = []
    cursor = log.cursor(None, lambda: woken.append(log.head))

    def broken(_epoch: str, _seq: int) -> bytes:
        raise ValueError("not JSON")

    fill(log, 1)
    with pytest.raises(ValueError, match="not JSON"):
        log.append(broken)
    fill(log, 1)
    assert cursor.take(ALL) == [b"event 1", b"event 2"]
    assert woken == [1, 2]


# Bounds


def oldest_position(log: UserLog) -> int:
    cursor = log.cursor(Position("another epoch", 0), nothing)
    cursor.close()
    return cursor.position.seq


@given(retained=st.integers(1, 10), appended=st.integers(0, 30))
def test_no_more_events_are_kept_than_allowed(
    event_log: EventLogFactory, retained: int, appended: int
) -> None:
    log = event_log(retained_events=retained).user("ann")
    fill(log, appended)
    assert oldest_position(log) == max(0, appended - retained)


@given(limit=st.integers(1, 50), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_no_more_bytes_are_kept_than_allowed_but_for_the_newest_event(
    event_log: EventLogFactory, limit: int, sizes: list[int]
) -> None:
    log = event_log(retained_bytes=limit).user("ann")
    for size in sizes:
        log.append(lambda *_, size=size: b"x" * size)  # type: ignore[misc]
    kept = sizes[oldest_position(log) :]
    assert len(kept) == 1 or sum(kept) <= limit
    with_one_more = sizes[-len(kept) - 1 :]
    assert with_one_more == kept or sum(with_one_more) > limit


def test_the_newest_event_is_kept_whatever_its_size(event_log: EventLogFactory) -> None:
    log = event_log(retained_bytes=10).user("ann")
    cursor = log.cursor(None, nothing)
    log.append(lambda *_: b"x" * 11)
    assert cursor.take(1) == [b"x" * 11]


def test_a_service_user_keeps_only_a_handful(event_log: EventLogFactory) -> None:
    logs = event_log(retained_events=100, service_retained_events=3)
    service, person = logs.user("service:health"), logs.user("service-desk")
    fill(service, 10)
    fill(person, 10)
    assert oldest_position(service) == 7
    assert oldest_position(person) == 0


def test_half_of_the_window_waits(event_log: EventLogFactory) -> None:
    log = event_log(retained_events=6).user("ann")
    cursor = log.cursor(None, nothing)
    fill(log, 2)
    assert not cursor.half_behind
    fill(log, 1)
    assert cursor.half_behind
    cursor.take(1)
    assert not cursor.half_behind
    fill(log, 20)
    assert cursor.half_behind


def test_half_of_the_bytes_wait(event_log: EventLogFactory) -> None:
    log = event_log(retained_bytes=100).user("ann")
    log.append(lambda *_: b"x" * 60)
    cursor = log.cursor(None, nothing)
    log.append(lambda *_: b"x" * 49)
    assert not cursor.half_behind
    assert log.cursor(Position(log.epoch, 1), nothing).pending == 1
    log.append(lambda *_: b"x")
    assert cursor.half_behind
    assert log.cursor(Position(log.epoch, 1), nothing).half_behind
    cursor.take(1)  # the one of 49 bytes: one byte is left
    assert not cursor.half_behind
    log.append(lambda *_: b"x" * 49)
    assert cursor.half_behind
    cursor.take(ALL)
    assert not cursor.half_behind


def test_a_log_is_half_behind_if_one_of_its_cursors_is(event_log: EventLogFactory) -> None:
    log = event_log(retained_events=6).user("ann")
    assert not log.half_behind
    quick, slow = log.cursor(None, nothing), log.cursor(None, nothing)
    fill(log, 3)
    assert log.half_behind
    quick.take(ALL)
    assert log.half_behind
    slow.close()
    assert not log.half_behind


# The bound on all users together


def lost_by(logs: EventLog, user_id: str) -> int:
    """Return how many events a user's log has lost by now."""
    return oldest_position(logs.user(user_id))


def append(logs: EventLog, user_id: str, size: int) -> None:
    logs.user(user_id).append(lambda *_: b"x" * size)


def test_who_was_silent_longest_loses_first(event_log: EventLogFactory) -> None:
    logs = event_log(retained_bytes_total=40)
    for user_id in ("ann", "bob", "ann", "cat"):
        append(logs, user_id, 10)
    append(logs, "cat", 10)
    assert [lost_by(logs, user_id) for user_id in ("ann", "bob", "cat")] == [0, 1, 0]
    append(logs, "cat", 10)
    assert [lost_by(logs, user_id) for user_id in ("ann", "bob", "cat")] == [1, 1, 0]


def test_one_user_alone_is_bounded_by_the_total(event_log: EventLogFactory) -> None:
    logs = event_log(retained_bytes_total=25)
    for _ in range(4):
        append(logs, "ann", 10)
    assert lost_by(logs, "ann") == 2


def test_the_newest_event_of_all_is_kept_whatever_its_size(event_log: EventLogFactory) -> None:
    logs = event_log(retained_bytes_total=20)
    append(logs, "ann", 10)
    append(logs, "bob", 21)
    assert lost_by(logs, "ann") == 1
    assert lost_by(logs, "bob") == 0


def test_what_the_total_took_is_a_loss_of_known_size(event_log: EventLogFactory) -> None:
    logs = event_log(retained_bytes_total=30)
    ann = logs.user("ann")
    fill(ann, 1)
    reader = ann.cursor(Position(ann.epoch, 0), nothing)
    append(logs, "bob", 30)
    with pytest.raises(CursorBehind, match=r"^1 events"):
        reader.take(ALL)
    cursor = ann.cursor(Position(ann.epoch, 0), nothing)
    assert (cursor.recovered, cursor.lost) == (False, 1)
    assert ann.cursor(Position(ann.epoch, 1), nothing).recovered is True
    fill(ann, 1)
    assert cursor.take(ALL) == [b"event 2"]


@given(
    total=st.integers(1, 60),
    appends=st.lists(
        st.tuples(st.sampled_from(["ann", "bob", "cat"]), st.integers(1, 30)), max_size=25
    ),
)
def test_all_logs_together_keep_what_fits_and_no_less(
    event_log: EventLogFactory, total: int, appends: list[tuple[str, int]]
) -> None:
    logs = event_log(retained_bytes_total=total)
    sizes: dict[str, list[int]] = {}
    expected: dict[str, list[int]] = {}  # the log that was appended to longest ago comes first
    for user_id, size in appends:
        append(logs, user_id, size)
        sizes.setdefault(user_id, []).append(size)
        expected[user_id] = [*expected.pop(user_id, []), size]
        while sum(map(sum, expected.values())) > total and sum(map(len, expected.values())) > 1:
            next(kept for kept in expected.values() if kept).pop(0)
    for user_id, of_user in sizes.items():
        assert of_user[lost_by(logs, user_id) :] == expected[user_id]


# Forgetting


def test_a_dropped_log_comes_back_empty_under_another_epoch(event_log: EventLogFactory) -> None:
    logs = event_log()
    fill(logs.user("ann"), 3)
    before = Position(logs.user("ann").epoch, 2)
    logs.drop("ann")
    log = logs.user("ann")
    assert (log.head, oldest_position(log)) == (0, 0)
    assert log.epoch != before.epoch
    cursor = log.cursor(before, nothing)
    assert (cursor.recovered, cursor.lost) == (False, None)
    assert fill(log, 2) == cursor.take(ALL)


def test_a_log_that_never_had_an_event_keeps_its_epoch(event_log: EventLogFactory) -> None:
    logs = event_log()
    position = Position(logs.user("ann").epoch, 0)
    for _ in range(2):
        logs.drop("ann")
        cursor = logs.user("ann").cursor(position, nothing)
        assert (cursor.recovered, cursor.lost, cursor.position) == (True, 0, position)
        cursor.close()
    fill(logs.user("ann"), 1)
    logs.drop("ann")
    assert logs.user("ann").epoch != position.epoch


def test_unused_epochs_are_kept_of_as_many_users_as_may_be_connected() -> None:
    logs = MemoryEventLog(Settings(max_connections=2, max_connections_per_user=2))
    users = ("ann", "bob", "cat")
    epochs = {user: logs.user(user).epoch for user in users}
    for user in users:
        logs.drop(user)
    assert [logs.user(user).epoch == epochs[user] for user in users] == [False, True, True]


def test_dropping_is_harmless_when_there_is_no_log(event_log: EventLogFactory) -> None:
    logs = event_log()
    logs.drop("ann")
    fill(logs.user("ann"), 1)
    logs.drop("ann")
    logs.drop("ann")
    assert logs.user("ann").head == 0


def test_dropping_one_log_leaves_the_others(event_log: EventLogFactory) -> None:
    logs = event_log()
    bob = logs.user("bob")
    appended = fill(bob, 2)
    cursor = bob.cursor(Position(bob.epoch, 0), nothing)
    fill(logs.user("ann"), 2)
    logs.drop("ann")
    assert logs.user("bob").epoch == bob.epoch
    assert cursor.take(ALL) == appended
    assert fill(bob, 1) == cursor.take(ALL)


def test_what_was_dropped_counts_no_more(event_log: EventLogFactory) -> None:
    logs = event_log(retained_bytes_total=20)
    append(logs, "ann", 10)
    append(logs, "bob", 10)
    logs.drop("bob")
    append(logs, "cat", 10)
    assert lost_by(logs, "ann") == 0
    append(logs, "cat", 1)
    assert lost_by(logs, "ann") == 1


# Isolation


def test_what_was_dropped_is_let_go(event_log: EventLogFactory) -> None:
    """Though it may be the newest log of all, and nobody else says anything for hours."""
    logs = event_log()
    alone = bytes(1000)
    event = logs.user("ann").append(lambda *_: bytes(1000))
    logs.drop("ann")
    assert sys.getrefcount(event) == sys.getrefcount(alone)


def test_two_users_have_different_epochs(event_log: EventLogFactory) -> None:
    logs = event_log()
    epochs = {logs.user(f"user{n}").epoch for n in range(50)}
    assert len(epochs) == 50


def test_a_log_that_lost_its_history_has_a_new_epoch(event_log: EventLogFactory) -> None:
    assert event_log().user("ann").epoch != event_log().user("ann").epoch


def test_a_position_of_one_user_opens_nothing_of_another(event_log: EventLogFactory) -> None:
    logs = event_log()
    ann, bob = logs.user("ann"), logs.user("bob")
    fill(ann, 3)
    cursor = bob.cursor(Position(ann.epoch, 1), nothing)
    assert (cursor.recovered, cursor.lost, cursor.take(ALL)) == (False, None, [])


@given(users=st.lists(st.sampled_from(["ann", "bob", "Ann", "service:ann"]), max_size=30))
def test_no_event_reaches_another_user(event_log: EventLogFactory, users: list[str]) -> None:
    logs = event_log(service_retained_events=30)
    woken: list[str] = []
    cursors = {
        user: logs.user(user).cursor(None, lambda user=user: woken.append(user))  # type: ignore[misc]
        for user in sorted(set(users))
    }
    sent = [(user, f"{user} {number}".encode()) for number, user in enumerate(users)]
    for user, event in sent:
        logs.user(user).append(lambda *_, event=event: event)  # type: ignore[misc]
    assert woken == users
    for reader, cursor in cursors.items():
        assert cursor.take(ALL) == [event for user, event in sent if user == reader]


def test_cursors_of_one_log_never_run_backwards(event_log: EventLogFactory) -> None:
    log = event_log().user("ann")
    cursor = log.cursor(None, nothing)
    places = [cursor.position.seq]
    for _ in range(5):
        fill(log, 2)
        cursor.take(1)
        places.append(cursor.position.seq)
    assert all(earlier < later for earlier, later in pairwise(places))

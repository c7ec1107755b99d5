"""Whether everything that was appended to a user's log was delivered once and in order, or said.

What a client was given is a stream of items in the order in which they came: each message as it
was received, and, between them, the errors with which the client was told that something ended or
is missing (`ConnectionEnded`, `EventsLost`). It is compared byte by byte with the user's log as a
witness reads it, at the end and by a connection of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

from plain_client import Frame as Message
from plain_client import dial, read_until, request
from scripted_server import mint
from tabs import verified
from websockets.asyncio.client import ClientConnection

from netra_ws.errors import ConnectionEnded, EventsLost

Item: TypeAlias = str | ConnectionEnded | EventsLost


@dataclass(frozen=True)
class Balance:
    """Of the events appended after a stream's beginning: how many its client has, and was told of.

    `lost` is how many it was told that it cannot have; `ended` how many wait behind the end of the
    connection that it was told of, to be resumed; `again` how many it was sent a second time,
    which a client drops by ``(epoch, seq)``. Whatever else is missing raises.
    """

    appended: int
    delivered: int
    lost: int = 0
    ended: int = 0
    again: int = 0

    @property
    def exact(self) -> bool:
        """Whether each event was delivered, and none was sent a second time."""
        return self.delivered == self.appended and self.again == 0


async def whole_log(backend: str, user: str, epoch: str) -> list[str]:
    """Return all events of a user's log, as they are, from the first to the newest.

    Asserts that the log has kept all of them, that `seq` rises by one, and that each run that has
    ended keeps its grammar, its count and its digest. A test gives its server room for that:
    `retained_events` and `retained_bytes`.
    """
    async with dial(backend, mint(user), f"/ws?epoch={epoch}&seq=0", max_size=None) as witness:
        (ready,) = await read_until(witness, "connection_ready")
        assert ready.message["payload"]["recovered"] is True, ready.text
        log = await up_to_now(witness)
    assert [message.message["seq"] for message in log] == list(range(1, len(log) + 1))
    assert {message.message["epoch"] for message in log} <= {epoch}
    assert {message.message["user_id"] for message in log} <= {user}
    for messages in _runs(log):
        if messages[-1].message["type"] == "agent_completed":
            verified([message.text for message in messages])
    return [message.text for message in log]


async def up_to_now(tab: ClientConnection) -> list[Message]:
    """Return all events up to now: a pong comes after what was in the log before."""
    await tab.send('{"type":"ping"}')
    *before, _ = await read_until(tab, "pong")
    return before


def _runs(log: Sequence[Message]) -> Iterable[list[Message]]:
    by_run = sorted(log, key=lambda message: str(message.message["run_id"]))
    for _, messages in groupby(by_run, key=lambda message: str(message.message["run_id"])):
        yield list(messages)


async def appended(backend: str) -> int:
    """Return how many events the server says it appended, for all its users together."""
    stats: dict[str, Any] = (await request(f"{backend}/ws/stats")).json()
    return int(stats["events"])


def balance(log: Sequence[str], stream: Iterable[Item], start: int | None = None) -> Balance:
    """Return what became of the events of `log`; raises `AssertionError` if some left unsaid.

    It also raises if an event came that is not the log's, byte by byte, or out of order. A stream
    begins after event `start`, or else where its first message, `connection_ready`, says. All of
    it is of one epoch.
    """
    tally = _Tally(log, start)
    for item in stream:
        tally.take(item)
    return tally.close()


class _Tally:
    """The events of one stream, counted as they come; `told` is what nothing has followed yet."""

    def __init__(self, log: Sequence[str], start: int | None) -> None:
        self.log = log
        self.start = self.last = start
        self.delivered = self.lost = self.again = 0
        self.told: ConnectionEnded | EventsLost | None = None
        self.may_repeat = False

    def take(self, item: Item) -> None:
        if not isinstance(item, str):
            self.told = item
            return
        message = json.loads(item)
        if message["type"] == "connection_ready":
            self._begin(message["payload"])
        elif "seq" in message:  # else an error or a pong, which are in no log
            self._event(message["seq"], item)

    def _begin(self, place: dict[str, Any]) -> None:
        seq, self.told = place["seq"], None
        if self.last is None:
            self.start = self.last = seq
        elif place["recovered"] is False:
            self._skip(seq, EventsLost(place["lost"]))
        else:
            assert seq <= self.last, f"resumed after {seq}, {self.last} was there"
            self.may_repeat = True

    def _event(self, seq: int, item: str) -> None:
        assert self.last is not None, f"expected connection_ready before {item!r}"
        assert 0 < seq <= len(self.log), f"event {seq} of a log of {len(self.log)}"
        assert item == self.log[seq - 1], f"expected {self.log[seq - 1]!r}, got {item!r}"
        if seq <= self.last:
            assert self.may_repeat, f"event {seq} came twice, or late: {self.last} came before it"
            self.again += 1
            return
        self._skip(seq - 1, self.told)
        self.last, self.told, self.may_repeat = seq, None, False
        self.delivered += 1

    def _skip(self, seq: int, told: ConnectionEnded | EventsLost | None) -> None:
        """Go on after event `seq`: what lies before it was said to be lost, or is not there."""
        assert self.last is not None
        if seq == self.last:
            return
        where = f"{self.last + 1} to {seq} never came"
        assert isinstance(told, EventsLost), f"{where}, and nothing was said"
        assert told.lost in {None, seq - self.last}, f"{where}, and what was said is: {told}"
        self.lost += seq - self.last
        self.last = seq

    def close(self) -> Balance:
        assert self.last is not None, "expected connection_ready"
        assert self.start is not None
        head = len(self.log)
        if isinstance(self.told, EventsLost):
            self._skip(head, self.told)
        ended = head - self.last
        if ended:
            ending = isinstance(self.told, ConnectionEnded)
            assert ending, f"{self.last + 1} to {head} never came, and nothing was said"
        whole = Balance(head - self.start, self.delivered, self.lost, ended, self.again)
        assert whole.appended == whole.delivered + whole.lost + whole.ended, whole
        return whole

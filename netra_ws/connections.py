"""The connections of one user: so many at a time, and room for a new one where others are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Protocol

from netra_ws.deadline import Deadline

MAKE_ROOM_S = 2.0
"""Seconds after a ping within which a connection must send a byte, or make room: some round trips,
and less than what a person waits."""


class OpenConnection(Protocol):
    """What is known of a connection, and done to it."""

    @property
    def token_id(self) -> str:
        """The token under which it goes on."""

    @property
    def is_behind(self) -> bool:
        """Whether events wait for it, or for the system to take them."""

    @property
    def last_heard(self) -> float:
        """When its client's last byte came; now, where the client is not read."""

    def ping(self) -> None:
        """Ping its client."""

    def make_room(self) -> None:
        """End it in the next turn of the loop."""

    def revoke(self) -> None:
        """End it: nothing more is delivered."""

    def seal(self) -> None:
        """Throw away what the system has not taken of it."""


@dataclass(slots=True, eq=False, repr=False)
class Connections:
    """At most `limit`, and as many that wait for room."""

    _limit: int
    _joined: dict[OpenConnection, None] = field(default_factory=dict)  # the oldest first
    _waiting: dict[OpenConnection, asyncio.Future[bool]] = field(default_factory=dict)
    _verdict: Deadline | None = None

    def __iter__(self) -> Iterator[OpenConnection]:
        """Return those that are served."""
        return (one for one in tuple(self._joined) if one not in self._waiting)

    def __len__(self) -> int:
        return len(self._joined)

    def under(self, token_id: str) -> list[OpenConnection]:
        """Return those that go on under a token, or wait."""
        return [one for one in {*self._joined, *self._waiting} if one.token_id == token_id]

    def join(self, one: OpenConnection) -> bool:
        """Take a connection if there is room; return whether there was."""
        if len(self._joined) >= self._limit:
            return False
        self._joined[one] = None
        return True

    async def wait(self, one: OpenConnection) -> bool:
        """Ping all others; take this one when another has left, or makes room for its silence.

        Returns whether it was taken, within `MAKE_ROOM_S`.
        """
        if len(self._waiting) >= self._limit:
            return False
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[one] = place
        if self._verdict is None:
            pinged = asyncio.get_running_loop().time()
            for other in self._joined:
                other.ping()
            self._verdict = Deadline(MAKE_ROOM_S, partial(self._judge, pinged))
        try:
            return await place
        finally:
            del self._waiting[one]
            if not self._waiting and self._verdict is not None:
                self._verdict.cancel()
                self._verdict = None

    def leave(self, one: OpenConnection) -> None:
        """Let a connection go; who has waited for longest has its room."""
        self._joined.pop(one, None)
        place = self._waiting.get(one)
        if place is not None and not place.done():
            place.set_result(False)
        for newcomer, place in self._waiting.items():
            if not place.done() and self.join(newcomer):
                place.set_result(True)

    def _judge(self, pinged: float) -> None:
        """Let those make room who have been silent for longest; refuse whom that does not help."""
        self._verdict = None
        places = [place for place in self._waiting.values() if not place.done()]
        silent = [one for one in self._joined if one.last_heard < pinged]
        for one in sorted(silent, key=attrgetter("last_heard"))[: len(places)]:
            one.make_room()
        for place in places[len(silent) :]:
            place.set_result(False)

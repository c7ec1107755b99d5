"""Steady traffic: a few users who have one session after the other, all on one clock.

It goes on while the backend is replaced, as real users do, and writes down what became of each
session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from netra_incident.measuring.load import MESSAGE
from netra_ws.auth.login import LoginResponse
from netra_ws.client import Channel
from netra_ws.errors import CloseCode, ConnectionEnded, HandshakeRefused

EVERY_S = 0.1
"""From the start of a user's session to the start of the next; longer if it takes longer."""

SESSION_LIMIT_S = 30.0

COMPLETE = "complete"
REFUSED = "connection refused"
NO_ANSWER = "no handshake"
NOBODY = {REFUSED, NO_ANSWER, "HTTP 503"}
STOPPING = f"close {CloseCode.SERVICE_RESTART:d}"

Clock = Callable[[], float]
"""Seconds since a beginning that all who use it share."""


@dataclass(frozen=True)
class TrafficSession:
    """One session: connect, send a message, receive the whole run, close.

    `outcome` is `COMPLETE` or says in a few words how the session ended instead.
    """

    user_id: str
    start_s: float
    end_s: float
    outcome: str

    @property
    def complete(self) -> bool:
        """Whether the whole run arrived: order, count and digest."""
        return self.outcome == COMPLETE

    @property
    def unserved(self) -> bool:
        """Whether there was no backend for it: not there at all, or about to stop."""
        return self.outcome in NOBODY or self.outcome.startswith(STOPPING)


class Traffic:
    """Sessions of `users` with the backend at an address, from entering the context to leaving it.

    `sessions` are those that have ended, in the order of their ends.
    """

    def __init__(self, backend: str, users: Sequence[LoginResponse], clock: Clock) -> None:
        self.sessions: list[TrafficSession] = []
        self._backend = backend
        self._users = users
        self._clock = clock
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin: the users one after the other, so that their sessions are spread evenly."""
        for place, user in enumerate(self._users):
            wait_s = EVERY_S * place / len(self._users)
            self._tasks.append(asyncio.create_task(self._use(user, wait_s)))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End; sessions that are still open are closed, and not written down."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def first(
        self, wanted: Callable[[TrafficSession], bool], since_s: float
    ) -> TrafficSession:
        """Return the first session to end that began at `since_s` or later and is wanted.

        Waits without a limit.
        """
        place = 0
        while True:
            session = await self._session_at(place)
            if session.start_s >= since_s and wanted(session):
                return session
            place += 1

    async def complete_in_a_row(self, n: int, since_s: float, limit_s: float) -> int:
        """Return `n` as soon as `n` sessions in a row, begun at `since_s` or later, are complete.

        After `limit_s` return how many the last ones in a row are.
        """
        row = place = 0
        try:
            async with asyncio.timeout(limit_s):
                while row < n:
                    session = await self._session_at(place)
                    place += 1
                    if session.start_s >= since_s:
                        row = row + 1 if session.complete else 0
        except TimeoutError:
            pass  # the number says it
        return row

    async def _session_at(self, place: int) -> TrafficSession:
        while len(self.sessions) <= place:
            self._more.clear()
            await self._more.wait()
        return self.sessions[place]

    async def _use(self, user: LoginResponse, wait_s: float) -> None:
        due_s = self._clock() + wait_s
        while True:
            await asyncio.sleep(max(0.0, due_s - self._clock()))
            start_s = self._clock()
            outcome = await self._outcome(user.access_token)
            session = TrafficSession(user.user.id, start_s, self._clock(), outcome)
            self.sessions.append(session)
            self._more.set()
            due_s = max(due_s + EVERY_S, self._clock())

    async def _outcome(self, token: str) -> str:
        try:
            async with asyncio.timeout(SESSION_LIMIT_S), Channel(self._backend, token) as channel:
                await channel.chat(MESSAGE)
        except HandshakeRefused as refused:
            if refused.status is not None:
                return f"HTTP {refused.status}"
            return REFUSED if isinstance(refused.__cause__, ConnectionRefusedError) else NO_ANSWER
        except ConnectionEnded as ended:
            return f"close {ended.code}, {ended.reason or 'no reason'}"
        except TimeoutError:
            return f"no end within {SESSION_LIMIT_S:g} s"
        # The backend is broken on purpose, and may break a client in any way.
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return COMPLETE

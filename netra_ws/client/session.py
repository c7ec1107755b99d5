"""A client that stays connected."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Self

from netra_ws.client.backoff import Backoff
from netra_ws.client.credentials import Authenticate
from netra_ws.client.link import Link
from netra_ws.client.question import Question
from netra_ws.client.run import ReceivedRun, limited
from netra_ws.event_log import Position
from netra_ws.events import Event
from netra_ws.messages import Error
from netra_ws.wire.urls import service_url


class Client:
    """A user's connection that outlives its sockets, as an async context manager.

    It logs in with `authenticate`, connects, and goes on after `position`. Where a connection
    ends the next one begins after the last event that was passed on, as `backoff` says; see
    `netra_ws.client.backoff` for the codes after which none does. The token is renewed before it
    expires. Raises `ConfigurationError` for a `backend_url` that is none.

    Only a reader keeps it connected: one `messages()` or `chat()` at a time. What ends a client
    for good is raised there, from then on at each call: `ConnectionEnded`, `HandshakeRefused`,
    `LoginError`, or whatever else `authenticate` raises.
    """

    def __init__(
        self,
        backend_url: str,
        authenticate: Authenticate,
        position: Position | None = None,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._url = service_url(backend_url)
        self._link = Link(self._url, authenticate, position, backoff or Backoff())

    def __repr__(self) -> str:  # never a token
        return f"{type(self).__name__}({self._url}, {self.position})"

    @property
    def position(self) -> Position | None:
        """The last event that was passed on, or where the server began; `None` before that."""
        return self._link.position

    @property
    def reconnects(self) -> int:
        """How many connections there were after the first."""
        return max(0, self._link.connections - 1)

    async def __aenter__(self) -> Self:
        await self._link.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._link.close()

    async def messages(self) -> AsyncGenerator[tuple[str, Event | Error]]:
        """Yield each event once and in order, and each typed error, across all connections.

        An item is a message as received and what it decodes to. Raises `EventsLost` once where
        events are missing; iterating again goes on after them. Raises what ends a client for
        good, and `JsonError` for what is not in the contract.
        """
        while True:
            channel = await self._link.channel()
            if self._link.losses:
                raise self._link.losses.pop(0)
            received = await self._link.receive(channel)
            if received is not None and isinstance(received[1], Event | Error):
                yield received[0], received[1]

    async def chat(self, content: str, limit_s: float = 60.0) -> ReceivedRun:
        """Send a message and return its run, verified, within `limit_s` seconds.

        Events of other threads that come meanwhile are passed over. A server that is stopping is
        asked again when it is back. Raises `RunUnconfirmed` if a connection ended before it was
        known whether the message had arrived, `EventsLost` if events are missing that may be of
        the run, `IncompleteRun` if it does not add up, `NetraError` if the message is refused,
        `TimeoutError` if it takes longer, and what ends a client for good.
        """
        self._link.check_alone()
        question = Question(self._link, content)
        async with limited(limit_s):
            while not question.run.ended:
                channel = await self._link.channel()
                if not await question.send_due():  # else the connection may have ended over it
                    received = await self._link.receive(channel)
                    if received is not None:
                        question.take(*received)
        question.run.verify()
        return question.run

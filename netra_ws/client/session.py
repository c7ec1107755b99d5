"""A client that stays connected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Self

from netra_ws.client.backoff import Backoff
from netra_ws.client.channel import Channel, ServerMessage, refusal
from netra_ws.client.credentials import Authenticate
from netra_ws.client.link import Link
from netra_ws.client.question import Question
from netra_ws.client.run import ReceivedRun
from netra_ws.errors import EventsLost, JsonError, RequestRefused, RunUnfinished
from netra_ws.event_log import Position
from netra_ws.events import Event
from netra_ws.messages import Error, StopAgent
from netra_ws.wire.urls import service_url

logger = logging.getLogger(__name__)

KEPT_QUESTIONS = 64
"""Of chats that were left: more than a server lets one user have at a time."""


class Client:
    """A user's connection that outlives its sockets, as an async context manager.

    It logs in with `authenticate`, connects, and goes on after `position`. Where a connection
    ends the next one begins after the last event that was passed on, as `backoff` says; see
    `netra_ws.client.backoff` for the codes after which none does. The token is renewed before it
    expires. Raises `ConfigurationError` for a `backend_url` that is none.

    Only a reader keeps it connected: one `messages()`, or any number of chats at a time. What ends
    a client for good is raised there, from then on at each call: `ConnectionEnded`,
    `HandshakeRefused`, `LoginError`, or whatever else `authenticate` raises.
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
        self._losses: list[EventsLost] = []  # that nobody was told of yet
        self._questions: list[Question] = []  # the oldest first
        self._turn: asyncio.Event | None = None  # of the chat that reads for all
        self._link = Link(
            self._url, authenticate, position, backoff or Backoff(), self._lost, self._oversized
        )

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
            if self._losses:
                raise self._losses.pop(0)
            received = await self._link.receive(channel)
            if received is not None:
                message, decoded = received
                known = self._dispatch(message, decoded)
                if isinstance(decoded, Event) or (isinstance(decoded, Error) and not known):
                    yield message, decoded

    async def chat(
        self, content: str, limit_s: float = 60.0, *, thread_id: str | None = None
    ) -> ReceivedRun:
        """Send a message and return its run, verified, within `limit_s` seconds.

        In a thread of its own, or as a further turn in `thread_id`. Chats may go on at the same
        time; events of other runs are passed over. A server that is stopping is asked again when
        it is back, and so is one that may not have had the message, where it knows it by its `id`;
        else that raises `RunUnconfirmed`. Raises `RunUnfinished`, a `TimeoutError`, if it takes
        longer, `EventsLost` if events are missing that may be of the run, `IncompleteRun` if it
        does not add up, `RequestRefused` if the message is refused, `MessageTooLarge` before it is
        sent, and what ends a client for good.
        """
        self._check_alone()
        question = Question(self._link, content, thread_id)
        self._questions.append(question)
        return await self._end_of(question, limit_s)

    async def follow(self, run_id: str, limit_s: float = 60.0) -> ReceivedRun:
        """Return a run of this client whose chat was left, from its first event; raises as `chat`.

        Of a `RunUnfinished` the `run_id`, or where that is `None` the `thread_id`. The last
        `KEPT_QUESTIONS` that were left are known; for another one it raises `RequestRefused`.
        """
        self._check_alone()
        for question in reversed(self._questions):
            if run_id in (question.run.run_id, question.thread_id):
                return await self._end_of(question, limit_s)
        msg = f"expected a run of this client that was not followed to its end, got {run_id!r}"
        raise RequestRefused("unknown_run", msg)

    async def stop(self, run_id: str) -> None:
        """Ask for the end of a run: its last event then says `cancelled`.

        A run that has ended already is a typed error `unknown_run`, in `messages()` or the log.
        """
        await self._link.send(lambda *_: StopAgent(run_id))

    async def _end_of(self, question: Question, limit_s: float) -> ReceivedRun:
        question.waiting += 1
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                while not question.done:
                    channel = await self._link.channel()
                    if not question.done:
                        await question.send_due()
                        await self._read(channel)
        except TimeoutError as late:
            if not limit.expired():
                raise
            run = question.run
            raise RunUnfinished(run.run_id, question.thread_id, len(run.events), limit_s) from late
        except RequestRefused as refused:  # before it was sent
            question.error = refused
        finally:
            question.waiting -= 1
            self._forget()
        if question in self._questions:
            self._questions.remove(question)
        if question.error is not None:
            raise question.error
        question.run.verify()
        return question.run

    def _forget(self) -> None:
        """Keep the last `KEPT_QUESTIONS` of those that nobody waits for."""
        left = [question for question in self._questions if not question.waiting]
        for question in left[:-KEPT_QUESTIONS]:
            self._questions.remove(question)

    async def _read(self, channel: Channel) -> None:
        """Read one message for whomever it is, or wait until another chat has."""
        if self._turn is not None:
            await self._turn.wait()
            return
        turn = self._turn = asyncio.Event()
        try:
            received = await self._link.receive(channel)
            known = received is None or self._dispatch(*received)
            if received and not known and isinstance(received[1], Error):
                logger.warning("of no chat: %s", refusal(received[1]))
        except JsonError as error:  # whose it is cannot be read
            for question in self._questions:
                if question.waiting and not question.done:
                    question.error = error
        finally:
            self._turn = None
            turn.set()

    def _dispatch(self, message: str, decoded: ServerMessage) -> bool:
        """Give a message to the chat that it is about; returns whether there is one."""
        return any(question.takes(message, decoded) for question in self._questions)

    def _lost(self, lost: EventsLost) -> None:
        told = [question.lose(lost) for question in self._questions]
        if not any(told):
            self._losses.append(lost)

    def _oversized(self) -> bool:
        told = [question.oversized() for question in self._questions]
        return any(told)

    def _check_alone(self) -> None:
        if self._turn is None:
            self._link.check_alone()

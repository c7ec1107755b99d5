"""A client that logs in, chats, and proves that it has every event of its run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from itertools import pairwise
from typing import Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from netra_ws import events
from netra_ws.auth.service import LoginResponse
from netra_ws.context import new_id
from netra_ws.errors import (
    ConnectionEnded,
    GrammarError,
    HandshakeRefused,
    IncompleteRun,
    LoginError,
    NetraError,
)
from netra_ws.event_log import Position
from netra_ws.events import AgentCompleted, Event, ToolCompleted, ToolExecuting
from netra_ws.messages import SUBPROTOCOL, ConnectionReady, Error, Pong, UserMessage
from netra_ws.urls import is_here

ServerMessage = Event | ConnectionReady | Error | Pong

_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)

REQUEST_TIMEOUT_S = 10.0


async def login(auth_url: str, email: str, password: str) -> LoginResponse:
    """Return what the login service at `auth_url` answers.

    Raises `LoginError` if it refuses, cannot be reached within `REQUEST_TIMEOUT_S`, or answers
    something that is not a login.
    """
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    url = f"{auth_url}/auth/login"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=not is_here(url)) as http,
            http.post(url, json={"email": email, "password": password}) as response,
        ):
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        msg = f"{url} did not answer ({type(error).__name__}); is the login service running?"
        raise LoginError(msg) from error
    if response.status != HTTPStatus.OK:
        msg = f"{url} answered {response.status}, expected 200; check email and password"
        raise LoginError(msg, response.status)
    try:
        return msgspec.json.decode(body, type=LoginResponse)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{url} answered something that is not a login: {error}"
        raise LoginError(msg, response.status) from error


@dataclass
class ReceivedRun:
    """The messages of one run exactly as received, `agent_completed` last."""

    messages: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def add(self, message: str, event: Event) -> None:
        """Take the next message of the run, and what it decodes to."""
        self.messages.append(message)
        self.events.append(event)

    @property
    def ended(self) -> bool:
        """Whether `agent_completed` is there."""
        return bool(self.events) and isinstance(self.events[-1], AgentCompleted)

    def verify(self) -> None:
        """Raise `IncompleteRun` unless order, count and digest show that nothing is missing.

        `seq` need not be gap-free within a run: runs of one user may interleave.
        """
        grammar = events.Grammar()
        try:
            for event in self.events:
                call = (
                    event.payload.tool_call_id
                    if isinstance(event, ToolExecuting | ToolCompleted)
                    else None
                )
                grammar.accept(event.__struct_config__.tag, call)  # type: ignore[arg-type]
        except GrammarError as error:
            raise IncompleteRun(str(error)) from error
        last = self.events[-1] if self.events else None
        if not isinstance(last, AgentCompleted):
            raise IncompleteRun(f"expected agent_completed after {len(self.events)} events")
        if last.payload.events != len(self.messages):
            msg = f"expected {last.payload.events} events, got {len(self.messages)}"
            raise IncompleteRun(msg)
        digest = sha256()
        for message in self.messages[:-1]:
            digest.update(message.encode() + b"\n")
        if digest.hexdigest() != last.payload.digest:
            raise IncompleteRun("expected the digest in agent_completed, got another")
        numbers = [event.seq for event in self.events]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise IncompleteRun(f"expected rising seq, got {numbers}")


class Client:
    """One connection of a user, as an async context manager.

    `position` is where to continue, as of an earlier connection. Inside, `position` is the last
    event seen and `ready` the server's first message. Gaps and duplicates are never passed on:
    a duplicate is dropped, a gap raises `NetraError`.
    """

    def __init__(self, backend_url: str, token: str, position: Position | None = None) -> None:
        self.position = position
        self.ready: ConnectionReady
        self._url = backend_url.replace("http", "ws", 1) + "/ws"
        self._token = token
        self._socket: ClientConnection

    async def __aenter__(self) -> Self:
        """Connect.

        Raises `HandshakeRefused`, or `ConnectionEnded` if the server closes before its first
        message.
        """
        query = f"?{urlencode(self.position._asdict())}" if self.position else ""
        try:
            self._socket = await connect(
                self._url + query,
                additional_headers={"Authorization": f"Bearer {self._token}"},
                subprotocols=[SUBPROTOCOL],
                compression=None,
                open_timeout=REQUEST_TIMEOUT_S,
                proxy=None if is_here(self._url) else True,
            )
        except InvalidStatus as refused:
            status = refused.response.status_code
            raise HandshakeRefused(self._url, status, refused.response.reason_phrase) from refused
        except (InvalidHandshake, OSError, TimeoutError) as failed:
            raise HandshakeRefused(self._url, None, type(failed).__name__) from failed
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                _, first = await self._receive()
            if not isinstance(first, ConnectionReady):
                raise NetraError(f"expected connection_ready, got {type(first).__name__}")
        except BaseException:
            await self._socket.close()
            raise
        self.ready = first
        self.position = Position(first.payload.epoch, first.payload.seq)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close with 1000."""
        await self._socket.close()

    async def _receive(self) -> tuple[str, ServerMessage]:
        try:
            message = await self._socket.recv(decode=True)
        except ConnectionClosed as closed:
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
            raise ConnectionEnded(code, reason) from closed
        return message, _decoder.decode(message)

    async def messages(self) -> AsyncIterator[tuple[str, ServerMessage]]:
        """Yield each message as received with what it decodes to; events once and in order.

        Raises `ConnectionEnded` when the server closes the connection, and `NetraError` when an
        event is missing.
        """
        assert self.position is not None
        while True:
            message, decoded = await self._receive()
            if isinstance(decoded, Event):
                if decoded.epoch == self.position.epoch and decoded.seq <= self.position.seq:
                    continue  # seen: delivery is at least once
                expected = Position(self.position.epoch, self.position.seq + 1)
                if (decoded.epoch, decoded.seq) != expected:
                    raise NetraError(f"expected event {expected.seq}, got {decoded.seq}")
                self.position = expected
            yield message, decoded

    async def chat(self, content: str, limit_s: float = 60.0) -> ReceivedRun:
        """Send a message and return its run, verified, within `limit_s` seconds.

        Raises `IncompleteRun` if the run does not add up, `NetraError` if the message is
        refused, `TimeoutError` if it takes longer.
        """
        thread_id = new_id("thread")
        await self._socket.send(events.encode(UserMessage(content, thread_id)), text=True)
        run = ReceivedRun()
        async with asyncio.timeout(limit_s):
            async for message, decoded in self.messages():
                if isinstance(decoded, Error):
                    raise NetraError(f"{decoded.payload.code}: {decoded.payload.message}")
                if isinstance(decoded, Event) and decoded.thread_id == thread_id:
                    run.add(message, decoded)
                    if run.ended:
                        break
        run.verify()
        return run

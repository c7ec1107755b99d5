"""One connection of a user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)
from websockets.protocol import State

from netra_ws import events, messages
from netra_ws.client.run import ReceivedRun, limited
from netra_ws.context import new_id
from netra_ws.decoding import decode
from netra_ws.errors import (
    CloseCode,
    ConnectionEnded,
    EventGap,
    EventTooLarge,
    HandshakeRefused,
    JsonError,
    MessageTooLarge,
    NetraError,
    RequestRefused,
)
from netra_ws.event_log import Position
from netra_ws.events import Event
from netra_ws.messages import ClientMessage, ConnectionReady, Error, UserMessage
from netra_ws.wire.urls import is_here, service_url

ServerMessage = Event | ConnectionReady | messages.Answer
"""What a server sends, decoded."""

_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


class _Place(msgspec.Struct):
    epoch: str
    seq: int


_place_decoder = msgspec.json.Decoder(_Place)

MAX_EVENT_BYTES = 1 << 20
"""Largest message that a client takes, unless its server says that it sends larger ones."""

OPEN_TIMEOUT_S = 10.0  # for the opening handshake, and as many again for the first message
SEND_TIMEOUT_S = 10.0  # that a message may wait for a server that reads nothing

CLOSE_TIMEOUT_S = 1.0
"""Seconds for the closing handshake: whoever has hung does not answer that one either."""


class _Socket(ClientConnection):
    """A connection whose end is bounded: websockets 17 waits for a server that keeps the line.

    It follows no redirect: where the token goes is for people to say.
    """

    _ends = False

    async def handshake(self, *args: Any, **options: Any) -> None:
        try:
            await super().handshake(*args, **options)
        except InvalidStatus as refused:
            raise _Refused from refused

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.state is State.CLOSING and not self._ends:
            self._ends = True
            self.loop.call_later(CLOSE_TIMEOUT_S, self.transport.abort)


class _Refused(NetraError):
    """The handshake was answered with another status than 101: that of the cause."""


class Channel:
    """One connection of a user, as an async context manager.

    `position` is where to continue, as of an earlier connection. Inside, `position` is the last
    event seen and `ready` the server's first message. Gaps and duplicates are never passed on:
    a duplicate is dropped, a gap raises `EventGap`. Raises `ConfigurationError` for a
    `backend_url` that is none.
    """

    def __init__(
        self,
        backend_url: str,
        token: str,
        position: Position | None = None,
        *,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        self.position = position
        self.ready: ConnectionReady
        self._url = service_url(backend_url).replace("http", "ws", 1) + "/ws"
        self._max_event_bytes = max_event_bytes
        self._token = token
        self._socket: ClientConnection

    def __repr__(self) -> str:  # never the token
        return f"{type(self).__name__}({self._url}, {self.position})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, and wait for the server's first message.

        Raises `HandshakeRefused`; `ConnectionEnded` if the server closes before its first message
        or sends none within `OPEN_TIMEOUT_S`; `NetraError` if that is not `connection_ready`.
        """
        query = f"?{urlencode(self.position._asdict())}" if self.position else ""
        try:
            self._socket = await connect(
                self._url + query,
                additional_headers={"Authorization": f"Bearer {self._token}"},
                subprotocols=[messages.SUBPROTOCOL],
                compression=None,
                max_size=self._max_event_bytes,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                create_connection=_Socket,
                proxy=None if is_here(self._url) else True,
            )
        except _Refused as refused:
            cause = refused.__cause__
            assert isinstance(cause, InvalidStatus)
            answer = cause.response
            to = answer.headers.get_all("Location")
            why = f"it leads to {to[0]!r}" if to else answer.reason_phrase
            raise HandshakeRefused(self._url, answer.status_code, why) from cause
        # A TimeoutError is an OSError, a host name that is none a ValueError; a proxy of the
        # environment may need a package that is not installed.
        except (WebSocketException, OSError, ValueError, ImportError) as failed:
            raise HandshakeRefused(self._url, None, type(failed).__name__) from failed
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                _, first = await self.receive()
            if not isinstance(first, ConnectionReady):
                raise NetraError(f"expected connection_ready, got {type(first).__name__}")
        except TimeoutError as late:
            self.abort()
            msg = f"no connection_ready within {OPEN_TIMEOUT_S:g} s"
            raise ConnectionEnded(1006, msg) from late
        except BaseException:
            await self.close()
            raise
        self.ready = first
        self.position = Position(first.payload.epoch, first.payload.seq)

    @property
    def is_open(self) -> bool:
        """Whether what is sent now may still arrive."""
        return self._socket.state is State.OPEN

    async def probe(self) -> None:
        """Return when the server has answered a ping; raises `ConnectionEnded`."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await (await self._socket.ping())
        except ConnectionClosed as closed:
            raise _ended(closed) from closed
        except TimeoutError as late:
            self.abort()
            raise ConnectionEnded(1006, f"no pong within {CLOSE_TIMEOUT_S:g} s") from late

    async def close(self) -> None:
        """Close with 1000, within `CLOSE_TIMEOUT_S`; harmless when repeated."""
        try:
            # websockets waits for room in a full buffer first, and that without a limit.
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        except TimeoutError:
            pass  # what follows ends it
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop the connection at once, as a network does: without a close frame."""
        self._socket.transport.abort()

    async def receive(self) -> tuple[str, ServerMessage]:
        """Return the next message as it was sent, duplicates too, and what it decodes to.

        Raises `ConnectionEnded`, and its kind `EventTooLarge`; `JsonError` for what is not in the
        contract, which the next call begins after.
        """
        try:
            message = await self._socket.recv(decode=True)
        except ConnectionClosed as closed:
            raise _ended(closed) from closed
        except ConcurrencyError as busy:
            raise NetraError("expected one reader of a channel at a time") from busy
        try:
            return message, decode(message, _decoder, "a message of the contract")
        except JsonError:
            self._pass_over(message)
            raise

    def _pass_over(self, message: str) -> None:
        """Take what is not in the contract as seen, if it is the event that comes next."""
        try:
            place = decode(message, _place_decoder, "the place of an event")
        except JsonError:
            return
        if self.position == (place.epoch, place.seq - 1):
            self.position = Position(place.epoch, place.seq)

    async def receive_next(self) -> tuple[str, ServerMessage]:
        """Return the next message that is no duplicate; raises `EventGap`, and as `receive`."""
        while True:
            message, decoded = await self.receive()
            if isinstance(decoded, Event):
                assert self.position is not None
                epoch, seq = self.position
                same_epoch = decoded.epoch == epoch
                if same_epoch and decoded.seq <= seq:
                    continue  # seen: delivery is at least once
                if not same_epoch or decoded.seq != seq + 1:
                    raise EventGap(seq + 1, decoded.seq, same_epoch=same_epoch)
                self.position = Position(epoch, decoded.seq)
            return message, decoded

    async def messages(self) -> AsyncIterator[tuple[str, ServerMessage]]:
        """Yield what `receive_next` returns, one message after the other; raises as it does."""
        while True:
            yield await self.receive_next()

    async def send(self, message: ClientMessage, max_bytes: int | None = None) -> None:
        """Send a message; raises `ConnectionEnded`, also if it waits for `SEND_TIMEOUT_S`.

        Sends nothing and raises `MessageTooLarge` if it is larger than `max_bytes`, and
        `RequestRefused` if it cannot be written as JSON.
        """
        try:
            data = events.encode(message)
        except (TypeError, ValueError, RecursionError) as error:
            msg = f"expected text that is UTF-8, got what cannot be sent ({type(error).__name__})"
            raise RequestRefused("invalid_message", msg) from error
        if max_bytes is not None and len(data) > max_bytes:
            msg = (
                f"expected at most {max_bytes} bytes of JSON, got {len(data)}; send less at a time"
            )
            raise MessageTooLarge(msg)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._socket.send(data, text=True)
        except ConnectionClosed as closed:
            raise _ended(closed) from closed
        except TimeoutError as stalled:
            self.abort()
            msg = f"the server took nothing for {SEND_TIMEOUT_S:g} s"
            raise ConnectionEnded(1006, msg) from stalled

    async def ask(self, content: str) -> str:
        """Start a run on `content` and return the thread that it is in; raises as `send`."""
        thread_id = new_id("thread")
        await self.send(UserMessage(content, thread_id))
        return thread_id

    async def chat(self, content: str, limit_s: float = 60.0) -> ReceivedRun:
        """Send a message and return its run, verified, within `limit_s` seconds.

        Raises `IncompleteRun` if the run does not add up, `RequestRefused` if the message is
        refused, `TimeoutError` if it takes longer.
        """
        run = ReceivedRun()
        async with limited(limit_s):
            thread_id = await self.ask(content)
            while not run.ended:
                message, decoded = await self.receive_next()
                if isinstance(decoded, Error):
                    raise refusal(decoded)
                if isinstance(decoded, Event) and decoded.thread_id == thread_id:
                    run.add(message, decoded)
        run.verify()
        return run


def refusal(error: Error) -> RequestRefused:
    """Return what a typed error of the server says, to be raised."""
    code = error.payload.code
    return RequestRefused(code, f"{code}: {error.payload.message}")


def _ended(closed: ConnectionClosed) -> ConnectionEnded:
    """Return what the server said, or else why this side failed the connection."""
    own = closed.sent if closed.rcvd is None or not closed.rcvd_then_sent else None
    if own is not None and own.code == CloseCode.MESSAGE_TOO_BIG:
        return EventTooLarge(own.code, own.reason)
    close = closed.rcvd or closed.sent
    return ConnectionEnded(close.code, close.reason) if close else ConnectionEnded(1006, "")

"""A connection that is taken up again where it ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from msgspec import UNSET

from netra_ws.client.backoff import Attempts, Backoff
from netra_ws.client.channel import MAX_EVENT_BYTES, Channel, ServerMessage
from netra_ws.client.credentials import Authenticate, Credentials
from netra_ws.client.limits import Limits, ask_limits
from netra_ws.errors import (
    CloseCode,
    ConnectionEnded,
    EventGap,
    EventsLost,
    EventTooLarge,
    HandshakeRefused,
    JsonError,
    NetraError,
)
from netra_ws.event_log import Position
from netra_ws.events import Event
from netra_ws.messages import ClientMessage, Error, RenewToken

logger = logging.getLogger(__name__)


class Link:
    """One channel after the other, each from the last event of the one before.

    `position` is that event, `connections` how many channels there were. `lost` is called with
    what the server has no longer, `oversized` when it closes over a message too large: it returns
    whether somebody has been told. Nothing is connected before `open` and after `close`.
    """

    def __init__(
        self,
        url: str,
        authenticate: Authenticate,
        position: Position | None,
        backoff: Backoff,
        lost: Callable[[EventsLost], None],
        oversized: Callable[[], bool],
    ) -> None:
        self.position = position
        self.connections = 0
        self._lost = lost
        self._oversized = oversized
        self._max_event_bytes = MAX_EVENT_BYTES
        self._limits: Limits | None = None  # of the server of the present channel
        self._asking = asyncio.Lock()
        self._wait: asyncio.Timeout | None = None  # for the next channel
        self._url = url
        self._settled_s = backoff.settled_s
        self._attempts = Attempts(backoff)
        self._credentials = Credentials(authenticate, backoff)
        self._connecting = asyncio.Lock()
        self._channel: Channel | None = None
        self._settles_at = 0.0
        self._reading = False
        self._is_open = False
        self._renewing: asyncio.Task[None]

    async def open(self) -> None:
        """Log in and connect, and renew the token from now on; raises as `channel`."""
        self._is_open = True
        try:
            await self.channel()
        except BaseException:
            await self._close_channel()
            raise
        self._renewing = asyncio.create_task(self._credentials.keep_fresh(self._announce))

    async def close(self) -> None:
        """Close with 1000, within `CLOSE_TIMEOUT_S`; no task is left."""
        self._renewing.cancel()
        try:
            await self._close_channel()
        finally:
            await asyncio.wait([self._renewing])
        if not self._renewing.cancelled():
            self._renewing.result()  # it goes on until it is cancelled: else it has failed

    async def _close_channel(self) -> None:
        self._is_open = False  # so that whoever still reads does not connect again
        if self._wait is not None:
            self._wait.reschedule(0)
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def channel(self) -> Channel:
        """Return the channel, or the next one as soon as there is one.

        Raises the error that ends a client for good, from then on at each call.
        """
        async with self._connecting:
            while self._channel is None:
                if not self._is_open:
                    raise NetraError("the client is closed; use it inside its async with")
                try:
                    async with asyncio.timeout(None) as self._wait:
                        await self._attempts.next()
                        await self._connect()
                except TimeoutError:  # of `close`, which waits for nobody
                    if self._is_open:
                        raise
                finally:
                    self._wait = None
            return self._channel

    async def _connect(self) -> None:
        try:
            token = await self._log_in_and_open()
        except Exception as error:  # which ones are final is for the attempts to say
            self._attempts.failed(error)
            return
        self.connections += 1
        self._limits = None
        self._attempts.connected()
        self._settles_at = time.monotonic() + self._settled_s
        if token != self._credentials.token:
            await self._announce()  # it was replaced while this connection was opened

    async def _log_in_and_open(self) -> str:
        """Open a channel and return its token: after a 401 to one that is not new, a new one."""
        token = self._credentials.token
        if not self._credentials.expired:
            try:
                await self._open(token)
                return token
            except HandshakeRefused as refused:
                if refused.status != HTTPStatus.UNAUTHORIZED:
                    raise
        await self._credentials.replace(token)
        token = self._credentials.token
        await self._open(token)
        return token

    async def _open(self, token: str) -> None:
        """Open a channel where the last event was; notes what the server has no longer."""
        asked = self.position
        channel = Channel(self._url, token, asked, max_event_bytes=self._max_event_bytes)
        await channel.open()
        ready = channel.ready.payload
        if asked is not None and ready.recovered is False:
            self._lost(EventsLost(ready.lost))
        elif asked is not None:
            same_epoch = ready.epoch == asked.epoch
            if not same_epoch or ready.seq > asked.seq:
                channel.abort()
                raise EventGap(asked.seq + 1, ready.seq + 1, same_epoch=same_epoch)
            channel.position = asked  # what comes before it is a duplicate
        self.position = channel.position
        self._channel = channel

    async def receive(self, channel: Channel) -> tuple[str, ServerMessage] | None:
        """Return the next message, or `None` if `channel` has ended or it is about the token.

        Raises `NetraError` if somebody else is reading.
        """
        self.check_alone()
        self._reading = True
        try:
            message, decoded = await channel.receive_next()
        except (ConnectionEnded, EventGap) as ended:
            if isinstance(ended, EventTooLarge):
                await self._make_room(channel)
            self._abort(channel, ended)
            return None
        except JsonError:
            if channel is not self._channel:
                return None
            self.position = channel.position
            raise
        finally:
            self._reading = False
        if channel is not self._channel:
            return None  # the next channel begins before it
        if isinstance(decoded, Event):
            self.position = channel.position
            self._settles_at = 0.0
        elif isinstance(decoded, Error) and decoded.payload.code == "token_refused":
            logger.warning("token not renewed: %s", decoded.payload.message)
            return None
        return message, decoded

    async def _make_room(self, channel: Channel) -> None:
        """Take what the server sends from now on, or pass over an event that is larger still."""
        limits = await ask_limits(self._url) or Limits()
        if limits.max_event_bytes > self._max_event_bytes:
            self._max_event_bytes = limits.max_event_bytes
        elif self._channel is channel and self.position is not None:
            epoch, seq = self.position
            self.position = Position(epoch, seq + 1)
            self._lost(EventsLost(1))

    async def _ask_limits(self, channel: Channel) -> Limits:
        """Return what the server of `channel` says of itself, asked once a channel.

        Raises `ConnectionEnded` if it does not answer there either.
        """
        async with self._asking:
            if self._limits is not None and self._channel is channel:
                return self._limits
            limits = await ask_limits(self._url)
            if limits is None:
                await channel.probe()
                limits = Limits()
            if self._channel is channel:
                self._limits = limits
            return limits

    async def send(self, due: Callable[[int, bool], ClientMessage]) -> None:
        """Send the message that is `due` on the connection of a number; with `id`s or without.

        It goes out once: again only where the connection before had ended already. Raises
        `RequestRefused` for one that is too large.
        """
        while True:
            channel = await self.channel()
            may_have_gone = False
            try:
                limits = await self._ask_limits(channel)
                if not channel.is_open:
                    await channel.probe()  # it says why
                if self._channel is not channel:
                    continue
                message = due(self.connections, limits.ids)
                if not limits.ids:
                    message = msgspec.structs.replace(message, id=UNSET)
                may_have_gone = True
                await channel.send(message, limits.max_message_bytes)
            except ConnectionEnded as ended:
                self._abort(channel, ended)
            if may_have_gone:
                return

    async def _announce(self) -> None:
        """Send the newest token; a connection that is opened later begins with it."""
        if self._channel is not None:
            try:
                await self._channel.send(RenewToken(self._credentials.token))
            except ConnectionEnded:
                pass  # whoever reads will meet it

    def _abort(self, channel: Channel, error: ConnectionEnded | EventGap) -> None:
        """Drop a channel that failed with `error`; the next call opens another if it may."""
        channel.abort()
        if self._channel is not channel:
            return
        self._channel = None
        if isinstance(error, ConnectionEnded) and error.code == CloseCode.TOKEN_EXPIRED:
            self._credentials.expire()
        if time.monotonic() >= self._settles_at:
            self._attempts.start_anew()
        too_big = isinstance(error, ConnectionEnded) and error.code == CloseCode.MESSAGE_TOO_BIG
        self._attempts.failed(error, mended=too_big and self._oversized())

    def check_alone(self) -> None:
        """Raise `NetraError` if somebody is reading."""
        if self._reading:
            raise NetraError("expected one messages(), or chats, at a time; use a client for each")

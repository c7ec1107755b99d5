"""A connection that is taken up again where it ended."""

from __future__ import annotations

import asyncio
import logging
import time
from http import HTTPStatus

from netra_ws.client.backoff import Attempts, Backoff
from netra_ws.client.channel import Channel, ServerMessage
from netra_ws.client.credentials import Authenticate, Credentials
from netra_ws.errors import (
    CloseCode,
    ConnectionEnded,
    EventGap,
    EventsLost,
    HandshakeRefused,
    NetraError,
)
from netra_ws.event_log import Position
from netra_ws.events import Event
from netra_ws.messages import ClientMessage, Error, RenewToken

logger = logging.getLogger(__name__)


class Link:
    """One channel after the other, each from the last event of the one before.

    `position` is that event, `connections` how many channels there were, `losses` what the server
    no longer had and nobody was told yet. Nothing is connected before `open` and after `close`.
    """

    def __init__(
        self, url: str, authenticate: Authenticate, position: Position | None, backoff: Backoff
    ) -> None:
        self.position = position
        self.connections = 0
        self.losses: list[EventsLost] = []
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
                await self._attempts.next()
                if self._is_open:
                    await self._connect()
            return self._channel

    async def _connect(self) -> None:
        try:
            token = await self._log_in_and_open()
        except Exception as error:  # which ones are final is for the attempts to say
            self._attempts.failed(error)
            return
        if not self._is_open:
            await self._close_channel()
            return
        self.connections += 1
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
        channel = Channel(self._url, token, asked)
        await channel.open()
        ready = channel.ready.payload
        if asked is not None and ready.recovered is False:
            self.losses.append(EventsLost(ready.lost))
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
            self._abort(channel, ended)
            return None
        finally:
            self._reading = False
        if isinstance(decoded, Event):
            self.position = channel.position
            self._settles_at = 0.0
        elif isinstance(decoded, Error) and decoded.payload.code == "token_refused":
            logger.warning("token not renewed: %s", decoded.payload.message)
            return None
        return message, decoded

    async def send(self, message: ClientMessage) -> int:
        """Send a message and return the number of the connection that may have carried it.

        It goes out once: again only where the connection before had ended already.
        """
        while True:
            channel = await self.channel()
            number, was_open = self.connections, channel.is_open
            try:
                await channel.send(message)
            except ConnectionEnded as ended:
                self._abort(channel, ended)
                if not was_open:
                    continue
            return number

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
        self._attempts.failed(error)

    def check_alone(self) -> None:
        """Raise `NetraError` if somebody is reading."""
        if self._reading:
            raise NetraError("expected one messages() or chat() at a time; use a client for each")

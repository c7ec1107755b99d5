"""One connection: a socket that reads its user's log through a cursor."""

from __future__ import annotations

import asyncio

import msgspec
import structlog
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from netra_ws import events
from netra_ws.context import UserExecutionContext, check_id, new_id
from netra_ws.errors import CloseCode, ContextError, CursorBehind, RunRefused
from netra_ws.event_log import Position
from netra_ws.manager import WebSocketManager
from netra_ws.messages import (
    ConnectionReady,
    ConnectionReadyPayload,
    Error,
    ErrorPayload,
    Ping,
    Pong,
    PongPayload,
    StopAgent,
    UserMessage,
    decode_client_message,
)

logger = structlog.get_logger(__name__)

MAX_REASON = 200


def shorten(words: str) -> str:
    """Return at most `MAX_REASON` characters of a reason."""
    return words if len(words) <= MAX_REASON else f"{words[: MAX_REASON - 1]}…"


class Connection:
    """One connection, in one task that reads the client; the cursor's wake writes.

    A wake takes everything pending and hands it to the socket on the next turn of the loop. If
    the socket's buffer is above its high-water mark a second task takes over, writes one event
    at a time, each within `write_timeout_s`, and ends when the reader has caught up.
    """

    def __init__(
        self,
        socket: ServerConnection,
        context: UserExecutionContext,
        manager: WebSocketManager,
        position: Position | None,
    ) -> None:
        self.id = new_id("connection")
        self._socket = socket
        self._context = context
        self._manager = manager
        self._position = position
        self._settings = manager.settings
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._closing: asyncio.Task[None] | None = None
        self._slow_writer: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Serve the connection until it ends."""
        manager = self._manager
        if manager.connections >= self._settings.max_connections_per_user:
            await self._socket.close(CloseCode.TOO_MANY_CONNECTIONS, "too many connections")
            return
        self._cursor = cursor = manager.open_cursor(self._position, self._wake)
        manager.connections += 1
        try:
            position = cursor.position
            ready = ConnectionReadyPayload(
                self.id, position.epoch, position.seq, cursor.recovered, cursor.lost
            )
            self._write(events.encode(ConnectionReady(events.timestamp(), ready)))
            self._wake()
            async for message in self._socket:
                if self._closing is None:  # else only until the client has closed too
                    await self._receive(message)
        except ConnectionClosed:
            pass  # its code is counted by the server, whichever side closed
        finally:
            cursor.close()
            manager.connections -= 1
            for task in (self._slow_writer, self._closing):
                if task is not None:
                    task.cancel()

    async def _receive(self, message: str | bytes) -> None:
        """Act on one message; whatever is wrong with it is answered with a typed error."""
        try:
            if isinstance(message, bytes):
                raise RunRefused("binary_message", "expected a text message with JSON in it")
            match decode_client_message(message):
                case UserMessage(content, thread_id):
                    if thread_id is not None:
                        check_id("thread_id", thread_id)
                    self._manager.start_run(self._context.for_run(thread_id), content)
                case StopAgent(run_id):
                    self._manager.stop_run(run_id)
                case Ping():
                    await self._reply(Pong(events.timestamp(), PongPayload()))
        except RunRefused as refused:
            await self._refuse(refused.code, str(refused))
        except (msgspec.ValidationError, ContextError) as error:
            await self._refuse("invalid_message", str(error))
        except (msgspec.DecodeError, RecursionError) as error:
            await self._refuse("invalid_json", str(error))

    async def _refuse(self, code: str, why: str) -> None:
        # The words of a refusal can repeat what was sent, as long as that was.
        await self._reply(Error(events.timestamp(), ErrorPayload(code, shorten(why))))

    async def _reply(self, message: Error | Pong) -> None:
        """Answer, and read on only when the answer is on its way: that bounds the buffer."""
        try:
            async with asyncio.timeout(self._settings.write_timeout_s):
                await self._socket.send(events.encode(message), text=True)
        except TimeoutError:
            self._stalled()

    def _write(self, message: bytes) -> None:
        # The one public way of websockets to write without waiting; the wait is ours to bound.
        broadcast((self._socket,), message, text=True)

    def _wake(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write what is pending, unless the slow writer is at it."""
        self._scheduled = False
        if self._slow_writer is not None or self._closing is not None:
            return
        high_water = self._settings.write_high_water_bytes
        try:
            while self._cursor.pending:
                if self._socket.transport.get_write_buffer_size() > high_water:
                    self._slow_writer = self._loop.create_task(self._write_slowly())
                    return
                for event in self._cursor.take(high_water):
                    self._write(event)
        except CursorBehind as behind:
            self._cut(CloseCode.FELL_BEHIND, str(behind))

    async def _write_slowly(self) -> None:
        try:
            while self._cursor.pending:
                for event in self._cursor.take(1):
                    async with asyncio.timeout(self._settings.write_timeout_s):
                        await self._socket.send(event, text=True)
        except TimeoutError:
            self._stalled()
        except CursorBehind as behind:
            self._cut(CloseCode.FELL_BEHIND, str(behind))
        except ConnectionClosed:
            pass
        finally:
            self._slow_writer = None

    def _stalled(self) -> None:
        limit = self._settings.write_timeout_s
        self._cut(CloseCode.SLOW_CONSUMER, f"a write stalled for more than {limit:g} s")

    def _cut(self, code: CloseCode, reason: str) -> None:
        """End the connection; what it has not read waits in the log."""
        if self._closing is not None:
            return
        user_id = self._context.user_id
        logger.warning("connection cut", code=int(code), reason=reason, user_id=user_id)
        self._closing = self._loop.create_task(self._socket.close(code, reason))

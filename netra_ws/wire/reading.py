"""An open socket as its handler hears it: whole messages, in order, one client a turn at a time.

Messages are handled where they are parsed and not by a task that receives them: that is a fifth
of what a run of five events costs (measured, Python 3.11). What websockets bounds where it
receives is bounded here: the bytes and the fragments of a message, and what is read at once.

Guarded by ``tests/integration/test_transport.py``, which fails when a version of websockets
moves what is used of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.asyncio.server import Server
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from netra_ws.decoding import not_utf8
from netra_ws.errors import CloseCode
from netra_ws.metrics import Metrics
from netra_ws.settings import Settings
from netra_ws.wire import frames
from netra_ws.wire.opening import OpeningSocket, Pending

DATA = {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}

LARGE_READ_BYTES = 64 * 1024
"""Bytes at once after which others have their turn. As long as it fills its buffer uvloop goes on
reading, up to 8 MiB of one client in a turn of the loop: seconds, if they are small frames."""


class ReadingSocket(OpeningSocket):
    """A connection that hands each message of its client to whoever listens."""

    __slots__ = (
        "_between_messages",
        "_fragments",
        "_is_deaf",
        "_is_text",
        "_last_heard",
        "_listening",
        "_on_message",
        "_waits",
        "ending",
        "lost",
    )

    def __init__(
        self,
        protocol: ServerProtocol,
        server: Server,
        *,
        settings: Settings,
        metrics: Metrics,
        pending: Pending,
        write_limit: int | tuple[int, int | None],
    ) -> None:
        super().__init__(
            protocol,
            server,
            settings=settings,
            metrics=metrics,
            pending=pending,
            write_limit=write_limit,
        )
        self.ending = False
        """Whether it was decided that this connection ends: then nothing more is written."""
        self.lost = False
        """Whether nobody is there any more."""
        self._last_heard = self.loop.time()
        self._on_message: Callable[[str | bytes], None] | None = None
        self._listening: asyncio.Future[None]
        self._fragments: list[bytes] = []
        self._is_text = True
        self._between_messages = False
        self._waits = False
        self._is_deaf = False

    async def listen(self, on_message: Callable[[str | bytes], None]) -> None:
        """Call `on_message` with each message until the connection is lost.

        It must return at once; what it raises is raised here, and ends the listening.
        """
        self._listening = self.loop.create_future()
        self._on_message = on_message
        self.begin()
        if not self.lost:
            await self._listening

    def data_received(self, data: bytes) -> None:
        """Take bytes, which are a sign of life, unless nobody listens any more."""
        self._last_heard = self.loop.time()
        if self._is_deaf:
            return
        if self._between_messages and self.state is State.OPEN:
            messages, end = frames.unpack(data, self._settings.max_message_bytes)
            for message in messages:
                self._deliver(message, is_text=True)
            if end == len(data):
                return
            data = data[end:]
        super().data_received(data)
        if self._on_message is not None:
            self._between_messages = frames.between_messages(self.protocol)
            if len(data) >= LARGE_READ_BYTES:
                self.transport.pause_reading()
                self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._waits:
            self.transport.resume_reading()

    def pause_reading(self) -> None:
        """Read nothing more of the client until `resume_reading`, or the end."""
        self._waits = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._waits = False
        self.transport.resume_reading()

    def stop_reading(self) -> None:
        """Take no byte of the client into account any more."""
        self._is_deaf = True

    def process_event(self, event: Event) -> None:
        """Take what websockets has parsed: a frame of a message, or one that it answered."""
        if self._on_message is None or not isinstance(event, Frame):
            super().process_event(event)
        elif event.opcode in DATA:
            self._assemble(event)

    def _deliver(self, message: bytes, *, is_text: bool) -> None:
        """Hand a message to whoever listens, unless the end has begun."""
        if self.ending or self.state is not State.OPEN or self._listening.done():
            return
        assert self._on_message is not None
        try:
            self._on_message(message.decode() if is_text else message)
        except UnicodeDecodeError as error:
            self._fail(CloseCode.INVALID_DATA, not_utf8(error))
        except Exception as error:
            self._listening.set_exception(error)

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.protocol.fail(code, reason)
        self.send_data()

    def _assemble(self, frame: Frame) -> None:
        """Put a message together whose frames websockets has found to be in order.

        Their bytes are bounded by `max_message_bytes`, there.
        """
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._deliver(message, is_text=self._is_text)
        elif len(self._fragments) >= frames.MAX_FRAGMENTS and self.state is State.OPEN:
            self._fragments.clear()
            self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")

    def connection_lost(self, exc: Exception | None) -> None:
        """End the listening."""
        super().connection_lost(exc)
        self.lost = True
        if self._on_message is not None and not self._listening.done():
            self._listening.set_result(None)
        # What is closed goes by its count: the collector comes too seldom to be waited for.
        self._on_message = None
        frames.end(self.protocol)

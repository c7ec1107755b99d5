"""A network that fails on purpose: a TCP relay that counts WebSocket messages and cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from limits import HANG_S

HEAD_BYTES = 2
MASK_BYTES = 4
EXTENDED = {126: 2, 127: 8}  # RFC 6455 section 5.2
TEXT = 1
NEVER = 1 << 30


@dataclass(frozen=True)
class Cut:
    """After how many text messages, in either direction, a connection is dropped.

    `down` counts what the server sends, `connection_ready` first; `up` what the client sends. With
    `through` the last one up still reaches the server, without it that one is lost.
    """

    down: int = NEVER
    up: int = NEVER
    through: bool = True


class Wire:
    """The relay: `cuts` are for the next connections, one each; further ones stay whole.

    `connections` is how many there were. While `is_down`, new ones are dropped at once; what
    is `mute` keeps all bytes to itself from then on.
    """

    def __init__(self, cuts: Iterable[Cut]) -> None:
        self.url = ""
        self.cuts = list(cuts)
        self.connections = 0
        self.is_down = False
        self.mute = False
        self._host, self._port = "", 0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passed: list[bytes] = []
        self._more = asyncio.Condition()

    async def passed(self, part: bytes, times: int = 1) -> None:
        """Return when so many messages with that in them have gone down to clients."""
        async with self._more, asyncio.timeout(HANG_S):
            await self._more.wait_for(lambda: sum(part in one for one in self._passed) >= times)

    async def accepted(self, connections: int) -> None:
        """Return when there were so many connections."""
        async with self._more, asyncio.timeout(HANG_S):
            await self._more.wait_for(lambda: self.connections >= connections)

    def aim(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 0)

    def cut(self) -> None:
        """Drop all connections now."""
        for writer in self._open:
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            self.connections += 1
            writer.transport.abort()
            return
        plan = self.cuts.pop(0) if self.cuts else Cut()
        try:
            behind_reader, behind = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, behind}
        async with self._more:
            self.connections += 1
            self._more.notify_all()
        ends = (
            self._relay(reader, behind, plan.up, through=plan.through),
            self._relay(behind_reader, writer, plan.down, through=True, note=True),
        )
        tasks = {asyncio.create_task(end) for end in ends}
        self._tasks |= tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # The client sees a drop; what has gone up arrives before the end does.
            writer.transport.abort()
            behind.close()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._tasks -= tasks
            self._open -= {writer, behind}

    async def _relay(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        limit: int,
        *,
        through: bool,
        note: bool = False,
    ) -> None:
        passed = 0
        try:
            await self._write(target, await source.readuntil(b"\r\n\r\n"))
            while passed < limit:
                frame = await self._frame(source)
                passed += frame[0] & 0x0F == TEXT
                if passed < limit or through:
                    await self._write(target, frame)
                if note:
                    async with self._more:
                        self._passed.append(frame)
                        self._more.notify_all()
        except (OSError, asyncio.IncompleteReadError):
            pass  # one end has gone: so goes the other

    async def _write(self, target: asyncio.StreamWriter, data: bytes) -> None:
        if not self.mute:
            target.write(data)
            await target.drain()

    @staticmethod
    async def _frame(source: asyncio.StreamReader) -> bytes:
        frame = await source.readexactly(HEAD_BYTES)
        size, masked = frame[1] & 0x7F, frame[1] & 0x80
        if size in EXTENDED:
            extended = await source.readexactly(EXTENDED[size])
            frame, size = frame + extended, int.from_bytes(extended)
        return frame + await source.readexactly(size + (MASK_BYTES if masked else 0))


@asynccontextmanager
async def wired(url: str, cuts: Iterable[Cut] = ()) -> AsyncIterator[Wire]:
    """Give a relay to the server at `url`."""
    wire = Wire(cuts)
    wire.aim(url)
    async with await asyncio.start_server(wire.accept, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        wire.url = f"http://{host}:{port}"
        yield wire
        wire.cut()
        while wire._tasks:
            await asyncio.wait(set(wire._tasks))

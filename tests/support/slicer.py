"""A network that passes on one byte at a time, in both directions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16


class Slicer:
    """A TCP relay to the server at `target`: each byte is a write of its own, with no delay.

    `pause_s` lies between two bytes; `bytes_up` and `bytes_down` count what was passed on.
    """

    def __init__(self, target: str, pause_s: float) -> None:
        self.url = ""
        self.bytes_up = self.bytes_down = 0
        self._target = urlsplit(target)
        self._pause_s = pause_s
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until one of its ends has gone."""
        host, port = self._target.hostname, self._target.port
        behind_reader, behind = await asyncio.open_connection(host, port)
        for end in (writer, behind):
            connected: socket.socket = end.get_extra_info("socket")
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tasks = {
            asyncio.create_task(self._relay(reader, behind, up=True)),
            asyncio.create_task(self._relay(behind_reader, writer, up=False)),
        }
        self._tasks |= tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._tasks -= tasks
            for end in (writer, behind):
                end.close()

    async def _relay(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, up: bool
    ) -> None:
        try:
            while data := await source.read(CHUNK_BYTES):
                for byte in data:
                    target.write(bytes([byte]))
                    await target.drain()
                    await asyncio.sleep(self._pause_s)
                if up:
                    self.bytes_up += len(data)
                else:
                    self.bytes_down += len(data)
        except OSError:
            pass  # one end has gone: so goes the other

    async def close(self) -> None:
        """End what is still relayed."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(set(self._tasks))


@asynccontextmanager
async def sliced(target: str, pause_s: float = 0.0) -> AsyncIterator[Slicer]:
    """Give a relay to the server at `target`."""
    slicer = Slicer(target, pause_s)
    async with await asyncio.start_server(slicer.accept, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        slicer.url = f"http://{host}:{port}"
        yield slicer
        await slicer.close()

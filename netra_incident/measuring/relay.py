"""A network between clients and a backend that can be cut."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from netra_ws.wire.urls import base_url

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Passes bytes on between clients and the backend at `backend`, as an async context manager.

    Inside, `url` is the address to connect to, on loopback; `writers` has both ends of each
    connection.
    """

    def __init__(self, backend: str) -> None:
        parts = urlsplit(backend)
        self.url = ""
        self.writers: set[asyncio.StreamWriter] = set()
        self._address = parts.hostname, parts.port
        self._is_cut = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = base_url(*self._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Drop what there is, and listen no more."""
        self._server.close()
        self.drop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def drop(self) -> None:
        """End every connection without a word, as a network does."""
        for writer in self.writers:
            writer.transport.abort()

    def cut(self) -> None:
        """Drop every connection, and let nobody through until `mend`."""
        self._is_cut = True
        self.drop()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def join(self, client: Stream, backend: Stream) -> None:
        """Pass on what either end sends, until both have ended."""
        await asyncio.gather(
            self._pass_on(client[0], backend[1]), self._pass_on(backend[0], client[1])
        )

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Pass on one piece."""
        writer.write(data)
        await writer.drain()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        writers = {writer}
        self.writers |= writers
        try:
            if self._is_cut:
                raise ConnectionAbortedError
            behind = await asyncio.open_connection(*self._address)
            writers.add(behind[1])
            if writer.is_closing():  # dropped meanwhile
                raise ConnectionAbortedError
            self.writers |= writers
            await self.join((reader, writer), behind)
        except OSError:
            writer.transport.abort()
        finally:
            for end in writers:
                end.close()
            for end in writers:
                with suppress(OSError):
                    await end.wait_closed()
            self.writers -= writers

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await self.send(writer, data)
        if not writer.is_closing() and writer.can_write_eof():
            with suppress(OSError):
                writer.write_eof()

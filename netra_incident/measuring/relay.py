"""A network between a client and a backend that can be cut."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

from netra_ws.wire.urls import base_url


class Relay:
    """Passes bytes on between clients and the backend at `backend`, as an async context manager.

    Inside, `url` is the address to connect to, on loopback.
    """

    def __init__(self, backend: str) -> None:
        parts = urlsplit(backend)
        self.url = ""
        self._address = parts.hostname, parts.port
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = base_url(*self._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Cut what there is, and listen no more."""
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """End every connection without a word, as a network does, and let nobody through."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._is_cut:
                raise ConnectionAbortedError
            behind = await asyncio.open_connection(*self._address)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, behind[1]}
        try:
            await asyncio.gather(self._pass_on(reader, behind[1]), self._pass_on(behind[0], writer))
        finally:
            self._writers -= {writer, behind[1]}
            for end in (writer, behind[1]):
                end.transport.abort()

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        if not writer.is_closing() and writer.can_write_eof():
            with suppress(OSError):
                writer.write_eof()

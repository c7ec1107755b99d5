"""A WebSocket client of bare frames (RFC 6455 section 5.2): it does only what it is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from tabs import LIMIT_S, UPGRADE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = bytes(4)  # a mask of zeros is one, too


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """Return one frame of a client."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(data) < 126:
        return head + bytes([0x80 | len(data)]) + MASK + data
    if len(data) < 1 << 16:
        return head + struct.pack(">BH", 0x80 | 126, len(data)) + MASK + data
    return head + struct.pack(">BQ", 0x80 | 127, len(data)) + MASK + data


class Frame(NamedTuple):
    """One frame of the server."""

    opcode: int
    data: bytes

    @property
    def code(self) -> int:
        """The code of a close frame."""
        return int.from_bytes(self.data[:2])


class Peer:
    """A connected socket that answers nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, opcode: int, data: bytes = b"", *, fin: bool = True) -> Self:
        """Send one frame, without waiting."""
        self.writer.write(frame(opcode, data, fin=fin))
        return self

    async def receive(self) -> Frame:
        """Return the next frame; raises `IncompleteReadError` at the end of the stream."""
        async with asyncio.timeout(LIMIT_S):
            first, size = await self.reader.readexactly(2)
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
            return Frame(first & 0x0F, await self.reader.readexactly(size))

    async def receive_type(self, opcode: int) -> Frame:
        """Return the next frame with that opcode."""
        while (received := await self.receive()).opcode != opcode:
            pass
        return received


@asynccontextmanager
async def peer(
    url: str,
    *headers: str,
    upgrade: bool = True,
    path: str = "/ws",
    takes_bytes: int = 64 * 1024,
) -> AsyncIterator[Peer]:
    """Connect; with `upgrade` ask for a WebSocket at `path`, and read the answer to that.

    `takes_bytes` is about what it takes in before it is read.
    """
    host, port = url.removeprefix("http://").split(":")
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes_bytes)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=small, limit=takes_bytes)
    try:
        if upgrade:
            lines = (f"GET {path} HTTP/1.1", f"Host: {host}:{port}", *UPGRADE, *headers, "", "")
            writer.write("\r\n".join(lines).encode())
            async with asyncio.timeout(LIMIT_S):
                answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101"), answer
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()

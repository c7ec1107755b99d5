"""The frames of RFC 6455 section 5.2, and a WebSocket client that sends only what it is told.

Nothing of netra_ws is used: this is what its own frames are tested with.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from limits import HANG_S
from plain_client import UPGRADE, address

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = bytes(4)  # a mask of zeros is one, too


def head(opcode: int, size: int, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Return what a client sends before the `size` bytes of data of a frame."""
    first = 0x80 * fin | 0x40 * rsv1 | opcode
    if size < 126:
        return bytes([first, 0x80 | size]) + MASK
    if size < 1 << 16:
        return struct.pack(">BBH", first, 0x80 | 126, size) + MASK
    return struct.pack(">BBQ", first, 0x80 | 127, size) + MASK


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, rsv1: bool = False) -> bytes:
    """Return one frame of a client."""
    return head(opcode, len(data), fin=fin, rsv1=rsv1) + data


async def read_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the next frame, of either side: its head with the mask, and its data as they came.

    Raises `IncompleteReadError` at the end of the stream.
    """
    head = await reader.readexactly(2)
    size, masked = head[1] & 0x7F, head[1] & 0x80
    if size >= 126:
        longer = await reader.readexactly(2 if size == 126 else 8)
        head, size = head + longer, int.from_bytes(longer)
    if masked:
        head += await reader.readexactly(len(MASK))
    return head, await reader.readexactly(size)


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
        async with asyncio.timeout(HANG_S):
            head, data = await read_frame(self.reader)
        return Frame(head[0] & 0x0F, data)

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
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, takes_bytes)
    small.setblocking(False)
    await asyncio.get_running_loop().sock_connect(small, address(url))
    reader, writer = await asyncio.open_connection(sock=small, limit=takes_bytes)
    try:
        if upgrade:
            host = f"Host: {url.removeprefix('http://')}"
            lines = (f"GET {path} HTTP/1.1", host, *UPGRADE, *headers, "", "")
            writer.write("\r\n".join(lines).encode())
            async with asyncio.timeout(HANG_S):
                answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101"), answer
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()

"""Very many connections that do nothing but answer pings, at little cost to who holds them."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import frames
from limits import HANG_S
from plain_client import UPGRADE

PING = b"\x89\x00"
PONG = frames.frame(frames.PONG)
AT_ONCE = 32
"""Handshakes under way at a time."""

SPARE_FILES = 200


class IdlePeer(asyncio.Protocol):
    """One connection: `ready` when `connection_ready` has come, `ended` when it has."""

    def __init__(self, token: str) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ended = False
        self.pings = 0
        self._token = token
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        lines = ("GET /ws HTTP/1.1", f"Authorization: Bearer {self._token}", *UPGRADE, "", "")
        transport.write("\r\n".join(lines).encode())

    def data_received(self, data: bytes) -> None:
        if self.ready.done():
            assert data == PING, data
            self.pings += 1
            self._transport.write(PONG)
            return
        self._received += data
        head, _, first = self._received.partition(b"\r\n\r\n")
        if b'"connection_ready"' in first and first.endswith(b"}"):
            assert head.startswith(b"HTTP/1.1 101 ")
            self._received = b""
            self.ready.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError(self._received.decode()))

    def drop(self) -> None:
        self._transport.abort()


def may_hold(connections: int) -> bool:
    """Whether this process, and so a child of it, may have so many files; raises its own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            return False
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return True


@asynccontextmanager
async def idle_peers(
    backend: str, users: Sequence[str], mint: Callable[[str], str]
) -> AsyncIterator[list[IdlePeer]]:
    """Connect one for each of these users, with the token that `mint` gives for it."""
    parts = urlsplit(backend)
    loop = asyncio.get_running_loop()
    peers: list[IdlePeer] = []
    limit = asyncio.Semaphore(AT_ONCE)

    async def connect(user: str) -> None:
        async with limit:
            _, peer = await loop.create_connection(
                lambda: IdlePeer(mint(user)), parts.hostname, parts.port
            )
            peers.append(peer)
            await peer.ready

    try:
        async with asyncio.timeout(HANG_S):
            await asyncio.gather(*map(connect, users))
        yield peers
    finally:
        for peer in peers:
            peer.drop()

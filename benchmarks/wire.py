"""A connection of the client, which does as little as it can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import cast

from websockets.frames import Frame, Opcode

from benchmarks.frames import (
    END_OF_HEAD,
    EVENTS,
    REQUEST,
    Broken,
    Frames,
    check_opening,
    handshake,
)
from benchmarks.servers import Server

OPEN_TIMEOUT_S = 30.0
"""Seconds for a batch of handshakes, and for its end."""

BATCH = 100
"""Connections that are opened or closed at once."""

_GOODBYE = Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")).serialize(mask=True)


class Wire(asyncio.Protocol):
    """One connection.

    `on_run` is called with it at the end of each run, `on_broken` with what went wrong. `next` is
    whose turn it is after a run.
    """

    __slots__ = (
        "_count", "_frames", "_handshake", "_head", "_to_greet", "closed", "next", "on_broken",
        "on_run", "opened", "transport",
    )  # fmt: skip

    def __init__(self, handshake: bytes, *, greets: bool) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.next = self
        self.on_run: Callable[[Wire], object] = lambda _: None
        self.on_broken: Callable[[Broken], object] = lambda _: None
        self.transport: asyncio.Transport
        self._handshake = handshake
        self._head = b""
        self._to_greet = greets
        self._frames: Frames
        self._count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        self._frames = Frames(self.transport.write)
        self.transport.write(self._handshake)

    @property
    def first_run(self) -> list[bytes]:
        """The messages of the first run, or what has come of it so far."""
        return self._frames.first_run

    def ask(self) -> None:
        """Start a run."""
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        """Count what came."""
        try:
            if self.opened.done():
                count = self._count + self._frames.feed(data)
                while count >= EVENTS:
                    count -= EVENTS
                    self.on_run(self)
                self._count = count
            else:
                self._open(data)
        except Broken as error:
            self._break(error)

    def _open(self, data: bytes) -> None:
        self._head += data
        head, end, rest = self._head.partition(END_OF_HEAD)
        if not end:
            return
        check_opening(head)
        if self._to_greet:
            # A message of its own, before anybody has asked: it is no event.
            greeting = Frames(self.transport.write)
            if not greeting.feed(rest):
                return
            rest = b""
        self.opened.set_result(None)
        if rest:
            self.data_received(rest)

    def _break(self, error: Broken) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
        self.on_broken(error)
        self.transport.abort()

    def close(self) -> None:
        """Begin the closing handshake; the server then ends the connection."""
        self.transport.write(_GOODBYE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so."""
        if not self.opened.done():
            self.opened.set_exception(Broken(f"the connection ended in its handshake: {exc}"))
        self.closed.set_result(None)
        self.on_broken(Broken("the server ended a connection"))


async def open_wires(server: Server, tokens: Iterable[str], *, deflate: bool = False) -> list[Wire]:
    """Return a connection for each token, once it is open.

    Raises `Broken` if one is refused, `TimeoutError` if a batch takes `OPEN_TIMEOUT_S`.
    """
    loop = asyncio.get_running_loop()
    greets = server.program.greets
    openings = [handshake(server.address, token, deflate=deflate) for token in tokens]
    wires: list[Wire] = []
    try:
        for start in range(0, len(openings), BATCH):
            batch = [Wire(opening, greets=greets) for opening in openings[start : start + BATCH]]
            wires += batch
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await asyncio.gather(
                    *(loop.create_connection(partial(_same, one), *server.address) for one in batch)
                )
                await asyncio.gather(*(wire.opened for wire in batch))
    except BaseException:
        await drop_wires(wires)
        raise
    return wires


def _same(wire: Wire) -> Wire:
    return wire


async def close_wires(wires: Sequence[Wire]) -> None:
    """Close connections and wait until the server has ended each."""
    for start in range(0, len(wires), BATCH):
        batch = wires[start : start + BATCH]
        for wire in batch:
            wire.on_broken = lambda _: None  # an end is what is asked for
            wire.close()
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await asyncio.gather(*(wire.closed for wire in batch))


async def drop_wires(wires: Iterable[Wire]) -> None:
    """End connections without a word, whatever state they are in."""
    made = [wire for wire in wires if hasattr(wire, "transport")]
    for wire in made:
        wire.on_broken = lambda _: None  # an end is what is asked for
        wire.transport.abort()
    async with asyncio.timeout(OPEN_TIMEOUT_S):
        await asyncio.gather(*(wire.closed for wire in made))
    for wire in wires:
        if wire.opened.done() and not wire.opened.cancelled():
            wire.opened.exception()  # of several that failed, one has been raised

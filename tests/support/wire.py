"""Networks that fail on purpose: one counts WebSocket messages and cuts, one slices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from frames import TEXT, read_frame
from limits import HANG_S

from netra_incident.measuring.relay import Relay, Stream

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


class Wire(Relay):
    """A relay: `cuts` are for the next connections, one each; further ones stay whole.

    `connections` is how many there were. What is `mute` keeps all bytes to itself from then on.
    """

    def __init__(self, backend: str, cuts: Iterable[Cut] = ()) -> None:
        super().__init__(backend)
        self.cuts = list(cuts)
        self.connections = 0
        self.mute = False
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

    async def join(self, client: Stream, backend: Stream) -> None:
        """Pass messages on until an end has gone, or the cut that was planned.

        A plain request is no connection: it is passed on as it is.
        """
        try:
            head = await client[0].readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        if b"\nupgrade:" not in head.lower():
            await self.send(backend[1], head)
            await super().join(client, backend)
            return
        plan = self.cuts.pop(0) if self.cuts else Cut()
        async with self._more:
            self.connections += 1
            self._more.notify_all()
        await self.send(backend[1], head)
        up = self._count(client[0], backend[1], plan.up, through=plan.through)
        down = self._count(backend[0], client[1], plan.down, through=True, note=True)
        tasks = {asyncio.create_task(way) for way in (up, down)}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # The client sees a drop; what has gone up arrives before the end does.
            client[1].transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if not self.mute:
            await super().send(writer, data)

    async def _count(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limit: int,
        *,
        through: bool,
        note: bool = False,
    ) -> None:
        passed = 0
        try:
            if note:
                await self.send(writer, await reader.readuntil(b"\r\n\r\n"))
            while passed < limit:
                head, data = await read_frame(reader)
                passed += head[0] & 0x0F == TEXT
                if passed < limit or through:
                    await self.send(writer, head + data)
                if note:
                    async with self._more:
                        self._passed.append(data)
                        self._more.notify_all()
        except (OSError, asyncio.IncompleteReadError):
            pass  # one end has gone: so goes the other


class Slicer(Relay):
    """A relay that sends each byte by itself; `pause_s` lies between two, `bytes` counts them."""

    def __init__(self, backend: str, pause_s: float) -> None:
        super().__init__(backend)
        self.bytes = 0
        self._pause_s = pause_s

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for byte in data:
            await super().send(writer, bytes([byte]))
            await asyncio.sleep(self._pause_s)
        self.bytes += len(data)

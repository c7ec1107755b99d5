"""SIGTERM while very many clients are in the middle of a run, and some of them have stalled."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from limits import HANG_S
from measuring import Measured, Spread
from plain_client import Frame, dial, read_until, request, run_fault, say
from processes import Server
from raw_peer import LEAST_BUFFER, read_to_the_end, upgraded
from scripted_server import mint, scripted_server
from websockets.asyncio.client import ClientConnection

from netra_ws.settings import Settings

FLOOD_BYTES = 9_000_000
"""More than the kernel keeps of a connection."""

FLOOD = {"type": "user_message", "content": json.dumps([["flood", 180, FLOOD_BYTES // 180]])}
STALLED_OF_A_USER = 25


async def stall(server: Server, stack: ExitStack, count: int) -> list[socket.socket]:
    """Return connections that have read nothing of a run that is larger than their buffers."""
    peers: list[socket.socket] = []
    while len(peers) < count:
        user = f"stalled-{len(peers)}"
        for _ in range(min(STALLED_OF_A_USER, count - len(peers))):
            peer = upgraded(server.backend, mint(user), receive_buffer=LEAST_BUFFER)
            peers.append(stack.enter_context(closing(peer)))
        async with dial(server.backend, mint(user), max_size=None) as reader:
            await say(reader, FLOOD)
            await read_until(reader, "agent_completed")
    return peers


class Live:
    """A client in the middle of a run: when it was told of the end of it, and of the server."""

    def __init__(self, server: Server, number: int) -> None:
        self.run: list[Frame] = []
        self.code: int | None = None
        self.closed = 0.0
        self._dial = dial(server.backend, mint(f"live-{number}"), ping_interval=None)
        self._tab: ClientConnection

    async def connect(self) -> None:
        self._tab = await self._dial
        await read_until(self._tab, "connection_ready")

    async def begin(self, content: str) -> None:
        await say(self._tab, {"type": "user_message", "content": content})
        self.run += await read_until(self._tab, "agent_thinking")

    async def finish(self) -> None:
        self.run += await read_until(self._tab, "agent_completed")

    async def close(self) -> None:
        """Wait for the end of the connection."""
        async with asyncio.timeout(HANG_S):
            await self._tab.wait_closed()
        self.code, self.closed = self._tab.close_code, time.perf_counter()


async def stopping(server: Server) -> None:
    """Return when health says that the server is stopping."""
    async with asyncio.timeout(HANG_S):
        while (await request(f"{server.backend}/ws/health")).status == 200:
            pass


@pytest.mark.fault(
    "SIGTERM with very many clients, a tenth of them stalled",
    promise="gone in drain_timeout_s + 1 s; every live client has its whole run, and 1012",
)
async def test_the_process_is_gone_in_time_and_every_live_client_has_its_run(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """The short form meets no limit: its runs go on once the server stops, and a second signal
    ends the wait for those that have stalled.
    """
    clients = 1000 if soak else 100
    drain_s = Settings().drain_timeout_s if soak else 2 * HANG_S
    told = tmp_path / "told"
    # In a soak the last thought comes, in a run that begins as the first one, after all have begun.
    pause = [["think", 2, 4.0]] if soak else [["think", 1, 0], ["wait", str(told)]]
    content = json.dumps([*pause, ["think", 1, 0]])
    limits = {"drain_timeout_s": drain_s, "retained_bytes": 2 * FLOOD_BYTES}
    with ExitStack() as stack:
        server = stack.enter_context(scripted_server(tmp_path, **limits))
        stalled = await stall(server, stack, clients // 10)
        live = [Live(server, number) for number in range(clients - len(stalled))]
        for client in live:
            await client.connect()
        await asyncio.gather(*(client.begin(content) for client in live))
        began = time.perf_counter()
        reading = [asyncio.create_task(client.finish()) for client in live]
        stopped = asyncio.create_task(asyncio.to_thread(server.stop))
        if not soak:
            await stopping(server)
            told.touch()
            await asyncio.gather(*reading)
            server.process.terminate()
        await asyncio.gather(*reading, *(client.close() for client in live))
        code = await stopped
        took_s = time.perf_counter() - began
        unread = [await asyncio.to_thread(read_to_the_end, peer) for peer in stalled]
        lines = server.log()
    assert [line["runs"] for line in lines if line["event"] == "stopping"] == [len(live)]
    assert code == 0
    assert not soak or took_s <= drain_s + 1
    assert {run_fault(client.run) for client in live} == {None}
    assert {client.run[-1].message["payload"]["status"] for client in live} == {"completed"}
    assert min(client.run[-1].at for client in live) > began
    assert {client.code for client in live} == {1012}
    assert max(map(len, unread)) < FLOOD_BYTES
    waits = Spread.of(client.closed - client.run[-1].at for client in live)
    measured(
        "{live} live clients and {stalled} stalled ones: gone {took_s:.2f} s after the signal "
        "(drain_timeout_s: {drain_s:g}); 1012 came {waits:.1f s} after the end of a run",
        live=len(live),
        stalled=len(stalled),
        took_s=took_s,
        drain_s=drain_s,
        waits=waits,
    )

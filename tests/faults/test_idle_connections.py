"""Thousands of connections that do nothing: what they cost, and whom they disturb."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from idle_peers import idle_peers, may_hold
from measuring import Measured, Spread
from plain_client import dial, read_until, request, run_fault, say
from polling import left
from processes import Server
from scripted_server import mint, resident_bytes, scripted_server

WAIT_MS = 1000.0
"""What a balancer commonly waits for; looked at in a soak."""

MAX_BYTES = 64 * 1024
"""Of an idle connection: max_connections is made for some 50 KiB each."""

ROUNDS = 20


async def timed_health(server: Server) -> float:
    began = time.perf_counter()
    assert (await request(f"{server.backend}/ws/health")).status == 200
    return time.perf_counter() - began


async def timed_run(server: Server) -> float:
    async with dial(server.backend, mint("neighbour")) as tab:
        await read_until(tab, "connection_ready")
        began = time.perf_counter()
        content = json.dumps([["think", 3, 0]])
        await say(tab, {"type": "user_message", "content": content})
        run = await read_until(tab, "agent_completed")
        took_s = time.perf_counter() - began
    assert run_fault(run) is None
    return took_s


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
@pytest.mark.fault(
    "thousands of idle connections",
    promise="no more than 64 KiB each; health answers, and a neighbour's run completes, within 1 s",
)
async def test_idle_connections_disturb_nobody(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """They are held through two rounds of pings, in the short form through one that comes soon."""
    count = 5000 if soak else 300
    if not may_hold(count):
        pytest.skip(f"expected to be allowed {count} open files and some: raise ulimit -Hn")
    limits = {} if soak else {"ping_interval_s": 0.5}
    pings = 2 if soak else 1
    with scripted_server(tmp_path, **limits) as server:
        pid = server.process.pid
        await timed_run(server)
        before = resident_bytes(pid)
        began = time.perf_counter()
        users = [f"idle-{number}" for number in range(count)]
        async with idle_peers(server.backend, users, mint) as peers:
            took_s = time.perf_counter() - began
            each = (resident_bytes(pid) - before) / count
            health = Spread.of([await timed_health(server) * 1000 for _ in range(ROUNDS)])
            runs = Spread.of([await timed_run(server) * 1000 for _ in range(ROUNDS)])
            while any(  # noqa: ASYNC110 - for so many peers an event each is more than a look
                peer.pings < pings and not peer.ended for peer in peers
            ):
                await asyncio.sleep(0.05)
            await left(server, count)
            assert not any(peer.ended for peer in peers)
    assert each <= MAX_BYTES
    assert not soak or max(health.high, runs.high) <= WAIT_MS
    measured(
        "{count} connections, each of its own user: {kib:.1f} KiB each; health answered in "
        "{health_ms:.1f ms}, a neighbour's run took {runs_ms:.1f ms}; none was dropped",
        count=count,
        kib=each / 1024,
        connected_in_s=took_s,
        health_ms=health,
        runs_ms=runs,
    )

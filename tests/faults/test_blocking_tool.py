"""A tool that keeps the event loop to itself: everybody waits for as long, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from idle_peers import idle_peers
from limits import HANG_S
from measuring import Measured, Spread
from neighbour import FREE, ROOM, talking
from plain_client import dial, read_until, request, run_fault, say
from polling import left
from processes import Server
from scripted_agent import BLOCKING
from scripted_server import journal, metric, mint, said, scripted_server

LATE_S = 1.0
"""What may be added to a wait at the full size."""

PEERS = 20
TICK_S = 0.5
"""Between two looks of the server at its own lag: so much of a block they can miss."""


class Wait(NamedTuple):
    """When somebody asked and was answered, in seconds of one clock."""

    asked: float
    answered: float


async def pong(
    server: Server, user: str, begun: asyncio.Event, ready: asyncio.Barrier, asked: asyncio.Barrier
) -> Wait:
    """Return the wait of a user for a pong who asks when the tool has begun."""
    async with dial(server.backend, mint(user), ping_interval=None) as tab:
        await read_until(tab, "connection_ready")
        await ready.wait()
        await begun.wait()
        at = time.perf_counter()
        await say(tab, {"type": "ping"})
        answer = asyncio.create_task(read_until(tab, "pong"))
        await asked.wait()
        return Wait(at, (await answer)[-1].at)


async def health(server: Server, begun: asyncio.Event) -> Wait:
    await begun.wait()
    asked = time.perf_counter()
    assert (await request(f"{server.backend}/ws/health")).status == 200
    return Wait(asked, time.perf_counter())


async def blocking(path: Path, times: int) -> float:
    """Return when the journal says that the loop is blocked for the so-manieth time."""
    async with asyncio.timeout(HANG_S):
        while said(path, BLOCKING).total() < times:  # noqa: ASYNC110 - the agent is elsewhere
            await asyncio.sleep(0.001)
    return time.perf_counter()


async def blocked(
    server: Server, block_s: float | None, path: Path
) -> tuple[float, list[float], float]:
    """Block the loop once: for so long, or until everybody has asked.

    Return for how long, how long others waited who asked meanwhile, for pongs and for health, and
    how long after its beginning the tool was announced, all in seconds.
    """
    times = said(path, BLOCKING).total() + 1
    begun, ready, asked = asyncio.Event(), asyncio.Barrier(PEERS + 1), asyncio.Barrier(PEERS + 1)
    pongs = [
        asyncio.create_task(pong(server, f"asks-{number}", begun, ready, asked))
        for number in range(PEERS)
    ]
    asking = asyncio.create_task(health(server, begun))
    await ready.wait()
    let_go = path.with_name(f"let-go-{times}")
    block = ["hold", str(let_go)] if block_s is None else ["block", block_s]
    async with dial(server.backend, mint("ann"), ping_interval=None) as tab:
        content = json.dumps([["think", 1, 0], block, ["think", 1, 0]])
        await read_until(tab, "connection_ready")
        await say(tab, {"type": "user_message", "content": content})
        reading = asyncio.create_task(read_until(tab, "agent_completed"))
        began = await blocking(path, times)
        begun.set()
        await asked.wait()
        released = began if block_s else time.perf_counter()
        let_go.touch()
        waits = [*await asyncio.gather(*pongs), await asking]
        run = await reading
    assert run_fault(run) is None
    assert run[-1].message["payload"]["status"] == "completed"
    assert min(wait.answered for wait in waits) > released
    (announced,) = [frame.at for frame in run if frame.message["type"] == "tool_executing"]
    assert announced > released
    held_s = block_s or released - began
    return held_s, [wait.answered - wait.asked for wait in waits], announced - began


@pytest.mark.fault(
    "a tool that blocks the event loop",
    promise="everybody waits for as long; shorter than ping_timeout_s, nobody loses anything",
)
async def test_while_a_tool_blocks_the_loop_all_wait_and_nobody_is_dropped(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """Pings are on their way when it begins; the time for their answers is longer than the block.
    In the short form the tool goes on when everybody has asked: nobody was answered before.

    What would end the process, a tool that never gives the loop back, no promise covers: an
    agent puts what blocks into `asyncio.to_thread`.
    """
    blocks = [0.5, 1.0, 2.0, 4.0, 8.0] if soak else [None]
    ping_timeout_s = 8.0 + LATE_S if soak else HANG_S
    limits = {"ping_interval_s": 0.2, "ping_timeout_s": ping_timeout_s}
    path = tmp_path / "journal"
    held: list[float] = []
    waited: list[float] = []
    announced: list[float] = []
    codes = ("1006", "1011", "4001", "4002")
    idle = [f"idle-{number}" for number in range(PEERS)]
    start = partial(scripted_server, tmp_path, env=journal(path))
    with start(**ROOM, **FREE, **limits) as server:
        async with idle_peers(server.backend, idle, mint) as peers:
            async with talking(server.backend) as neighbour:
                lag_before = await metric(server, "event_loop_lag_seconds_sum")
                for block_s in blocks:
                    held_s, waits, after_s = await blocked(server, block_s, path)
                    if soak:
                        assert 0.5 * held_s <= min(waits) <= max(waits) <= held_s + LATE_S
                    held.append(held_s)
                    waited += [wait / held_s for wait in waits]
                    announced.append(after_s / held_s)
                    await neighbour.once_more()
                lag_s = await metric(server, "event_loop_lag_seconds_sum") - lag_before
            assert not any(peer.ended for peer in peers)
            await left(server, PEERS)
            ended = [await metric(server, "disconnects_total", code=code) for code in codes]
        met = [line for line in server.log() if line["event"] == "limit exceeded"]
    assert ended == [0.0] * len(codes)
    assert met == []
    if soak:
        assert sum(held) - TICK_S * len(held) <= lag_s <= sum(held) + LATE_S * len(held)
    measured(
        "blocked for {blocks} s: {n} pongs and health answers waited {least:.2f} to {most:.2f} of "
        "that, as did tool_executing itself ({announced:.2f}); the lag metric rose by "
        "{lag_s:.1f} s; no connection ended, and the neighbour had {neighbour} of {appended} "
        "events",
        blocks=", ".join(f"{held_s:.1f}" for held_s in held),
        n=len(waited),
        least=min(waited),
        most=max(waited),
        announced=Spread.of(announced),
        lag_s=lag_s,
        neighbour=neighbour.balance.delivered,
        appended=neighbour.balance.appended,
    )

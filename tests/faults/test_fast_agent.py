"""An agent that is faster than its readers: they lose nothing, and who does not read is let go."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from frames import peer
from measuring import Measured, Spread
from neighbour import FREE, talking
from offender import Offence, bearer
from plain_client import dial, read_until, request, say
from raw_peer import LEAST_BUFFER
from scripted_server import metric, mint, scripted_server


@pytest.mark.fault(
    "an agent faster than its readers",
    promise="who reads loses nothing; a run waits for who does not, for a time, then 4002",
)
async def test_who_reads_loses_nothing_and_a_run_waits_no_longer_than_it_may(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    count, rounds, write_timeout_s = (100_000, 3, 10.0) if soak else (8000, 1, 4.0)
    script = json.dumps([["flood", count, 100 if soak else 1000]])
    size = count + 2
    fast_s: list[float] = []
    slowed_s: list[float] = []
    limits = {"write_timeout_s": write_timeout_s, "close_timeout_s": 0.3, **FREE}
    with scripted_server(tmp_path, **limits) as server:
        # Slowly: a witness reads all that the neighbour had, and this log keeps 256 events.
        pause_s = 1.0 if soak else 0.2
        async with talking(server.backend, thoughts=2, pause_s=pause_s) as neighbour:
            for number in range(rounds):
                fast, stalled = f"fast-{number}", f"stalled-{number}"
                fast_s.append(await flooded(server.backend, fast, script, size))
                async with peer(server.backend, bearer(stalled), takes_bytes=LEAST_BUFFER) as ann:
                    offence = Offence(stalled)
                    await offence.until(ann, "connection_ready")
                    slowed_s.append(await flooded(server.backend, stalled, script, size))
                await neighbour.once_more()
        assert (await request(f"{server.backend}/ws/health")).status == 200
        codes = {
            code: await metric(server, "disconnects_total", code=code) for code in ("4001", "4002")
        }
        assert "Traceback" not in server.stderr()
    assert codes == {"4001": 0, "4002": rounds}
    if soak:
        assert max(slowed_s) < write_timeout_s + max(fast_s) + 1
    measured(
        "{runs} runs of {size:,} events each, emitted without waiting: a tab that reads had all "
        "of each, {fast:.1f s} after the question; beside a tab that did not read, {slowed:.1f s}, "
        "and that tab was closed with 4002; the neighbour had {neighbour} of {appended} events",
        runs=2 * rounds,
        size=size,
        fast=Spread.of(fast_s),
        slowed=Spread.of(slowed_s),
        neighbour=neighbour.balance.delivered,
        appended=neighbour.balance.appended,
    )


async def flooded(backend: str, user: str, script: str, size: int) -> float:
    """Let a user ask for a flood and read all of it; return how long that took in s."""
    async with dial(backend, mint(user), ping_interval=None) as tab:
        await read_until(tab, "connection_ready")
        began = time.perf_counter()
        await say(tab, {"type": "user_message", "content": script})
        run = await read_until(tab, "agent_completed")
        took_s = time.perf_counter() - began
    assert [frame.message["seq"] for frame in run] == list(range(1, size + 1))
    assert run[-1].message["payload"]["status"] == "completed"
    return took_s

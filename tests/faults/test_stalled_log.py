"""Nobody reads what the server logs, though it logs without end."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from pathlib import Path

import leash
import pytest
from limits import HANG_S
from measuring import Measured, Spread
from plain_client import dial, read_until, request, say
from processes import COMMAND, clean_environment, python_path
from scrape import Scrape
from scripted_server import SECRET, mint

LINES = 30_000
"""Two megabytes, which is more than the server holds."""

AGENT = f"""
async def floods(run, message):
    for number in range({LINES}):
        print(f"line {{number:060}}", flush=True)
        if not number % 1000:
            await run.thinking(f"line {{number}}")
    return "done"
"""


async def flooded(backend: str) -> float:
    """Let a run print its lines, to its end; return the seconds that health took meanwhile."""
    async with dial(backend, mint("ann")) as tab:
        await read_until(tab, "connection_ready")
        await say(tab, {"type": "user_message", "content": "go"})
        await read_until(tab, "agent_thinking")
        began = time.perf_counter()
        assert (await request(f"{backend}/ws/health")).status == 200
        took = time.perf_counter() - began
        await read_until(tab, "agent_completed")
    return took


@pytest.mark.fault(
    "nobody reads standard error",
    promise="everybody is served, what was not written is counted, and the process stops in time",
)
async def test_a_log_that_nobody_reads_stops_nobody(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    rounds = 20 if soak else 1
    (tmp_path / "flooding.py").write_text(AGENT)
    arguments = ("serve", "--service", "backend", "--port", "0", "--agent", "flooding:floods")
    process = leash.start(
        [*COMMAND, *arguments],
        cwd=tmp_path,
        env=clean_environment() | python_path(tmp_path) | {"NETRA_WS_SECRET": SECRET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        backend = json.loads(await asyncio.to_thread(process.stdout.readline))["backend"]
        health = [await flooded(backend) for _ in range(rounds)]
        metrics = (await request(f"{backend}/metrics")).body.decode()
        dropped = Scrape(metrics).value("log_lines_dropped_total")
        assert dropped >= (rounds - 1) * LINES  # but for the last ones, which are on their way
        began = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, HANG_S) == 0
        stopped_s = time.perf_counter() - began
    finally:
        leash.end(process)
    measured(
        "{lines:,} lines were printed, {dropped:,} of them counted as dropped; health answered "
        "after {health:.1f ms}; SIGTERM ended the process after {stopped_s:.2f} s, exit code 0",
        lines=rounds * LINES,
        dropped=int(dropped),
        health=Spread.of(1000 * one for one in health),
        stopped_s=stopped_s,
    )

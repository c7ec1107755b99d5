"""A reader of standard error that reads no more: what the server does does not wait for it."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from measuring import Measured
from plain_client import dial, read_until, request, run_fault, say
from polling import until
from processes import Server
from scripted_server import metric, mint, scripted_server

from netra_ws.serving.logs import MAX_WAITING_BYTES

LINE = 4096
LINES = 2 * MAX_WAITING_BYTES // LINE


class Reader:
    """The other end of standard error, which reads when it is asked to."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.text = b""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self) -> list[dict[str, Any]]:
        """Read what is there; return the log lines so far."""
        try:
            while more := os.read(self._descriptor, 1 << 16):
                self.text += more
        except BlockingIOError:
            pass
        *whole, _ = self.text.split(b"\n")
        return [json.loads(line) for line in whole if line.startswith(b"{")]

    def has_said(self, lost: float) -> bool:
        """Whether so many lines were said to be dropped by now."""
        return lost == sum(x["lines"] for x in self.read() if x["event"] == "log lines dropped")

    def close(self) -> None:
        os.close(self._descriptor)


async def talk(server: Server, script: list[list[Any]]) -> None:
    """Have a run of which much is logged."""
    async with dial(server.backend, mint("ann"), max_size=None) as tab:
        await read_until(tab, "connection_ready")
        await say(tab, {"type": "user_message", "content": json.dumps(script)})
        run = await read_until(tab, "agent_completed")
    assert run_fault(run) is None
    assert run[-1].message["payload"]["status"] == "completed"


@pytest.mark.fault(
    "a reader of standard error that stalls",
    promise="runs, health and SIGTERM do not wait; what is dropped is counted, and said later",
)
async def test_nothing_waits_for_a_reader_of_standard_error(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    printed = [["print", LINES, LINE]]
    logged = [["catch", "ValueError", "x" * LINE]] * 12
    reader = Reader(tmp_path / "fifo")
    rounds = 10 if soak else 1
    with scripted_server(tmp_path, log=reader.path) as server:
        lost = 0.0
        for _ in range(rounds):
            await talk(server, printed)
            for _ in range(3):
                await talk(server, logged)
            assert (await request(f"{server.backend}/ws/health")).status == 200
            assert await metric(server, "log_lines_dropped_total") > lost
            lost = await metric(server, "log_lines_dropped_total")
            await until(partial(reader.has_said, lost))
        await talk(server, printed)
        began = time.perf_counter()
        assert server.stop() == 0
        took_s = time.perf_counter() - began
    reader.close()
    assert not soak or took_s < 2
    measured(
        "{rounds} times {lines} lines of {size} bytes were written to a pipe that nobody read, and "
        "then read: {lost:.0f} lines dropped, counted and said; with the pipe full again gone "
        "{took_s:.2f} s after SIGTERM",
        rounds=rounds,
        lines=LINES,
        size=LINE,
        lost=lost,
        took_s=took_s,
    )

"""Who reads the log of a server may stall or go: it goes on, and says what it did not write."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import leash
import pytest
from limits import HANG_S
from plain_client import dial, read_until, request, say
from polling import counted, until
from processes import COMMAND, Serve, clean_environment, python_path

from netra_ws.auth.tokens import Tokens
from netra_ws.settings import Settings

SECRET = "a secret of more than thirty-two bytes"
TOKENS = Tokens(SECRET, Settings())

LINES = 30_000
"""Two megabytes, which is more than the server holds."""

AGENT = f"""
async def floods(run, message):
    for number in range({LINES}):
        print(f"line {{number:060}}", flush=True)
    return "done"
"""


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Return a backend whose standard error is a pipe that nobody reads."""
    text, name = getattr(request, "param", (AGENT, "floods"))
    (tmp_path / "agents.py").write_text(text)
    arguments = ("serve", "--service", "backend", "--port", "0", "--agent", f"agents:{name}")
    process = leash.start(
        [*COMMAND, *arguments],
        cwd=tmp_path,
        env=clean_environment() | python_path(tmp_path) | {"NETRA_WS_SECRET": SECRET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    leash.end(process)


def address(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    return str(json.loads(server.stdout.readline())["backend"])


async def flood(backend: str) -> str:
    """Let a run print its lines, to its end; return the metrics."""
    async with dial(backend, TOKENS.issue("ann")) as tab:
        await say(tab, {"type": "user_message", "content": "go"})
        await read_until(tab, "agent_completed")
    assert (await request(f"{backend}/ws/health")).status == 200
    return (await request(f"{backend}/metrics")).body.decode()


def end(server: subprocess.Popen[str]) -> int:
    server.send_signal(signal.SIGTERM)
    return server.wait(HANG_S)


async def test_a_reader_that_stalls_stops_nobody(server: subprocess.Popen[str]) -> None:
    metrics = await flood(address(server))
    assert "netra_ws_log_lines_dropped_total 0.0" not in metrics
    assert await asyncio.to_thread(end, server) == 0


async def test_who_reads_on_is_told_how_much_is_missing(server: subprocess.Popen[str]) -> None:
    await flood(address(server))
    assert server.stderr is not None
    seen, missing = 0, 0
    while seen + missing < LINES:
        line = await asyncio.to_thread(server.stderr.readline)
        if line.startswith("line "):
            seen += 1
        elif (said := json.loads(line))["event"] == "log lines dropped":
            missing += said["lines"]
    assert missing > 0
    assert seen + missing == LINES


async def test_a_reader_that_has_gone_is_no_failure(server: subprocess.Popen[str]) -> None:
    assert server.stderr is not None
    backend = address(server)
    server.stderr.close()
    metrics = await flood(backend)
    assert "netra_ws_log_lines_dropped_total 0.0" not in metrics
    assert await asyncio.to_thread(end, server) == 0


async def test_all_that_was_written_is_there_at_the_end(server: subprocess.Popen[str]) -> None:
    address(server)
    server.send_signal(signal.SIGTERM)
    _, said = await asyncio.to_thread(server.communicate, None, HANG_S)
    assert [json.loads(line)["event"] for line in said.splitlines()][-1] == "stopped"


LONG = """
async def fails(run, message):
    raise ValueError("\\N{SNOWMAN}" * 1_000_000)
"""


@pytest.mark.parametrize("server", [(LONG, "fails")], indirect=True)
async def test_a_line_is_whole_however_long_an_error_is(server: subprocess.Popen[str]) -> None:
    backend = address(server)
    async with dial(backend, TOKENS.issue("ann")) as tab:
        await say(tab, {"type": "user_message", "content": "go"})
        await read_until(tab, "agent_completed")
    server.send_signal(signal.SIGTERM)
    _, said = await asyncio.to_thread(server.communicate, None, HANG_S)
    assert "run failed" in [json.loads(line)["event"] for line in said.splitlines()]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits are set from outside")
async def test_what_a_file_does_not_take_is_counted_and_said(serve: Serve) -> None:
    server = serve()
    await until(lambda: "listening" in server.stderr())
    size = len(server.stderr())
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for _ in range(5):
        await request(f"{server.backend}/nowhere")
    await counted(server, 5, "log_lines_dropped_total")
    resource.prlimit(
        server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    await request(f"{server.backend}/nowhere")
    await until(lambda: '"log lines dropped"' in server.stderr())
    assert server.stop() == 0

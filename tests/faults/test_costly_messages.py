"""Legal messages to the built-in agent that are costly to parse: nobody else waits for them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from measuring import Measured, Spread
from plain_client import dial, read_until, request, run_fault, say
from processes import Server
from scripted_server import SECRET, cpu_s, metric, mint

SIZE = 64_000
NESTED = 180
COSTLY = {
    "a dotted name": "import " + "a." * 32_000 + "a",
    "attributes": "a" + ".a" * 31_000,
    "operators": "a" + "+a" * 31_000,
    "powers": "a" + "**a" * 21_000,
    "comparisons": "a" + "<a" * 31_000,
    "signs": "-" * SIZE + "1",
    "brackets": "(" * 32_000 + ")" * 31_000,
    "brackets that fit": ("[" * NESTED + "a" + "]" * NESTED + "\n") * (SIZE // (2 * NESTED + 2)),
    "brackets with a mistake": "(" * NESTED + "a b" + ")" * NESTED,
    "calls": "f" + "()" * 31_000,
    "an f-string": 'f"' + "{a}" * 21_000 + '"',
    "lambdas": "lambda:" * 9_000 + "1",
    "decorators": "@a\n" * 15_000 + "def f(): pass",
    "a dotted decorator": "@a" + ".a" * 31_000 + "\ndef f(): pass",
    "statements": "a;" * 31_000,
    "awaits": "await f()\n" * 5_500,
    "letters beyond ASCII": "𝔞" * 5_000,
    "a ligature": "ﷺ " * 9_000,
    "digits": "9" * SIZE,
    "hexadecimal digits": "0x" + "f" * SIZE,
    "an encoding": "# -*- coding: utf-7 -*-\n" + "+AAA-" * 12_000,
    "null bytes": "a\0" * 9_000,
}


async def cost(server: Server, user: str, content: str) -> float:
    """Return the seconds of CPU that the server itself spends on one message of a user."""
    async with dial(server.backend, mint(user), max_size=None) as tab:
        await read_until(tab, "connection_ready")
        before = await asyncio.to_thread(cpu_s, server.process.pid)
        await say(tab, {"type": "user_message", "content": content})
        run = await read_until(tab, "agent_completed")
        spent = await asyncio.to_thread(cpu_s, server.process.pid) - before
    assert run_fault(run) is None
    return spent


@pytest.mark.skipif(sys.platform != "linux", reason="reads the CPU time of a process from /proc")
@pytest.mark.fault(
    "messages that are costly to parse",
    promise="none takes more than 100 ms of the server's own CPU; health is answered meanwhile",
)
async def test_a_costly_message_costs_the_server_next_to_nothing(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """The counter of the system has steps of 10 ms."""
    hostile = COSTLY["a dotted name"]
    with Server(
        *("--service", "backend"),
        cwd=tmp_path,
        log=tmp_path / "log",
        env={"NETRA_WS_SECRET": SECRET},
    ) as server:
        async with dial(server.backend, mint("ann"), max_size=None) as tab:
            await read_until(tab, "connection_ready")
            for _ in range(16):
                await say(tab, {"type": "user_message", "content": hostile})
            for _ in range(16):
                await read_until(tab, "tool_executing")
            answered = asyncio.create_task(read_until(tab, "agent_completed"))
            assert (await request(f"{server.backend}/ws/health")).status == 200
            at_once = not answered.done()
            await answered
            for _ in range(15):
                await read_until(tab, "agent_completed")
        spent = [
            await cost(server, f"user-{number}", content)
            for _ in range(5 if soak else 1)
            for number, content in enumerate(COSTLY.values())
        ]
        refused = await metric(server, "tool_failures_total")
        said = [line for line in server.log() if line["event"] == "tool failed"]
    assert at_once
    assert max(spent) <= 0.1
    assert refused == len(said) > 16
    measured(
        "16 at once of one user, and health was answered before any of them ended; {n} messages of "
        "{kinds} kinds took {spent:.3f s} of the server's CPU each; {refused:.0f} were refused, "
        "each with a log line",
        n=len(spent),
        kinds=len(COSTLY),
        spent=Spread.of(spent),
        refused=refused,
    )

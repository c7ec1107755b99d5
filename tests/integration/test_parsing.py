"""Messages to the built-in agent: whatever they are, they cost others next to nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_runs import run_agent
from fixtures import LogLine
from polling import until
from scrape import scrape
from switching import switching_often
from tabs import LIMIT_S, Fetch, OpenTab, chat, ready, receive_type, say, serving, verified
from websockets.asyncio.client import ClientConnection

from netra_ws import source
from netra_ws.agent import source_reader
from netra_ws.auth.tokens import Tokens
from netra_ws.events import EVENT_TYPES
from netra_ws.parsing import SMALL, parse
from netra_ws.serving.process import new_event_loop
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

HOSTILE = "import " + "a." * 100_000 + "a"
"""The parser takes what grows with its square, in time and in memory: seconds in which it holds the
interpreter, and gigabytes."""

SLOW = 'f"' + "{a}" * 200_000 + '"'
"""This takes seconds, and little memory."""

LARGE = Settings(max_message_bytes=1024 * 1024)
CALLS = "await f(x)\n"
MIXED = (CALLS * (SMALL // len(CALLS)), CALLS * (20 * SMALL // len(CALLS)))


TEXTS = {
    "brackets in brackets": "(" * 5000 + ")" * 5000,
    "brackets that never close": "[" * 5000,
    "signs before signs": "-" * 5000 + "1",
    "64 KiB of words": "word " * (64 * 1024 // 5),
    "64 KiB of Python": CALLS * (64 * 1024 // len(CALLS)),
    "a number too long for Python": "9" * 5000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
async def test_the_built_in_agent_shows_all_five_types_for_what_is_large(text: str) -> None:
    """What is small: `tests/unit/test_agent_run.py`."""
    run = await run_agent(source_reader, text)
    run.verify()
    assert [type(one).__struct_config__.tag for one in run.events] == list(EVENT_TYPES)
    assert run.events[-1].payload.status == "completed"


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The processes that were started to parse something."""
    started: list[Process] = []
    create = asyncio.create_subprocess_exec

    async def start(*command: Any, **options: Any) -> Process:
        started.append(await create(*command, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    return started


def payload(messages: list[str], event_type: str) -> dict[str, Any]:
    (found,) = [one for one in map(json.loads, messages) if one["type"] == event_type]
    said: dict[str, Any] = found["payload"]
    return said


async def completed(tab: ClientConnection, runs: int) -> None:
    """Wait until this many runs have ended."""
    for _ in range(runs):
        await receive_type(tab, "agent_completed")


@pytest.mark.parametrize("text", MIXED, ids=["small", "large"])
async def test_runs_at_once_do_not_break_each_others_parsing(
    text: str, backend: Backend, open_tab: OpenTab
) -> None:
    """On CPython 3.11 threads share a count of what is nested: two that parse raise SystemError."""
    rounds = 20 if len(text) <= SMALL else 4
    with switching_often():
        async with open_tab(backend, "ann") as ann, open_tab(backend, "bob") as bob:
            for tab in (ann, bob):
                await ready(tab)
            for _ in range(rounds):
                for tab in (ann, bob, ann, bob):
                    await say(tab, text)
                for tab in (ann, bob, ann, bob):
                    done = json.loads((await receive_type(tab, "agent_completed"))[-1])["payload"]
                    assert done["status"] == "completed"
                    count = text.count("await")
                    assert done["final_response"] == f"Python source; await expressions: {count}."


@pytest.mark.parametrize("text", [HOSTILE, SLOW], ids=["hostile", "slow"])
async def test_a_message_that_takes_too_much_is_refused_and_said(
    text: str, tokens: Tokens, open_tab: OpenTab, fetch: Fetch, log_lines: list[LogLine]
) -> None:
    async with serving(tokens, LARGE) as backend, open_tab(backend) as tab:
        await ready(tab)
        before = time.process_time()
        messages = await chat(tab, text)
        spent = time.process_time() - before  # of this process, which is the server: not wall time
        verified(messages)
        counted = await scrape(fetch, backend)
    assert payload(messages, "tool_completed")["success"] is False
    done = payload(messages, "agent_completed")
    assert done["status"] == "completed"
    assert done["final_response"].startswith("The message was not read: ")
    assert counted.value("tool_failures_total") == 1
    (line,) = [one for one in log_lines if one["event"] == "tool failed"]
    assert str(line["exc_info"]) == (
        f"{len(text)} characters took more than 0.5 s of CPU time or 256 MiB to parse"
    )
    assert spent < 1


async def test_nobody_waits_behind_all_messages_of_somebody_else(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    async with (
        serving(tokens, LARGE) as backend,
        open_tab(backend, "ann") as ann,
        open_tab(backend, "bob") as bob,
    ):
        await ready(ann)
        await ready(bob)
        for _ in range(3):
            await say(ann, SLOW)
        for _ in range(3):
            await receive_type(ann, "tool_executing")
        two = asyncio.create_task(completed(ann, 2))
        assert payload(await chat(bob, MIXED[1]), "tool_completed")["success"] is True
        assert not two.done()
        await two
        await completed(ann, 1)


async def test_a_run_that_is_stopped_takes_its_process_along(
    tokens: Tokens, open_tab: OpenTab, processes: list[Process]
) -> None:
    async with serving(tokens, LARGE) as backend, open_tab(backend) as tab:
        await ready(tab)
        await say(tab, SLOW)
        run_id = json.loads((await receive_type(tab, "tool_executing"))[-1])["run_id"]
        await until(lambda: processes)
        await tab.send(json.dumps({"type": "stop_agent", "run_id": run_id}))
        done = json.loads((await receive_type(tab, "agent_completed"))[-1])["payload"]
        assert done["status"] == "cancelled"
        async with asyncio.timeout(LIMIT_S):
            assert await processes[0].wait() == -signal.SIGKILL


async def test_a_process_that_fails_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import sys\nsys.exit('oh no')\n")
    monkeypatch.setattr(source, "__file__", str(broken))
    with pytest.raises(ChildProcessError, match="the parser ended with 1: oh no"):
        await parse(MIXED[1], "ann")


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, new_event_loop])
def test_every_loop_that_serve_may_use_starts_it(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        found = runner.run(parse(MIXED[1], "ann"))
    assert found == source.read_source(MIXED[1])


def test_a_process_whose_server_was_killed_ends_by_itself() -> None:
    """Nobody is left to stop it: it has read all there is, and the kernel counts its time."""
    program = [sys.executable, "-I", "-S", source.__file__]
    done = subprocess.run(program, input=SLOW.encode(), capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGPROF, b"")


async def test_a_small_message_needs_no_process(processes: list[Process]) -> None:
    found = await parse(MIXED[0], "ann")
    assert found["awaits"] == SMALL // len(CALLS)
    assert not processes
    await parse(MIXED[0] + " " * SMALL, "ann")
    assert len(processes) == 1

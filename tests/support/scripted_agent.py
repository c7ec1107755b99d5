"""An agent that does what its message says, served with ``--agent scripted_agent:scripted``.

A message is a JSON list of steps, each a list of a verb and its arguments:

    ["think", count, pause_s]    say so many things, with a pause after each
    ["flood", count, size]       say so many things of that many characters
    ["wait", path]               wait until that file exists
    ["block", seconds]           a tool that keeps the event loop to itself
    ["hold", path]               the same until that file exists
    ["thread", path]             a tool that waits in a thread until that file exists
    ["print", count, size]       print so many lines of that many characters
    ["raise", kind, words]       a tool that raises
    ["catch", kind, words]       the same, and the agent goes on without it

If the environment names a file in `JOURNAL`, each event is written down there as soon as it is in
the log: after a kill it says what there was to be lost. So is the moment at which a tool blocks.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import NoReturn

from netra_ws.agent import AgentRun

JOURNAL = "FAULTS_JOURNAL"
BLOCKING = "blocking"
POLL_S = 0.005


class Unspeakable(Exception):
    """An exception that raises when it is asked for its words."""

    def __str__(self) -> str:
        raise ValueError(self.args[0])


KINDS: dict[str, type[BaseException]] = {
    kind.__name__: kind
    for kind in (
        ValueError,
        MemoryError,
        RecursionError,
        TimeoutError,
        SystemExit,
        asyncio.CancelledError,
        Unspeakable,
    )
}
NOT_JSON = "results that are not JSON"


def _break(kind: str, words: str) -> NoReturn:
    if kind == "group":
        raise ExceptionGroup(words, [ValueError(words), OSError(words)])
    if kind == "chain":
        try:
            raise OSError(words)
        except OSError as error:
            raise ValueError(words) from error
    raise KINDS[kind](words)


async def _broken(run: AgentRun, kind: str, words: str) -> None:
    async with run.tool("broken", {}) as tool:
        if kind != NOT_JSON:
            _break(kind, words)
        tool.results = {words: object()}


def _note(run: AgentRun, what: str) -> None:
    path = os.environ.get(JOURNAL)
    if path:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, f"{run.context.user_id} {run.context.run_id} {what}\n".encode())
        finally:
            os.close(descriptor)


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(POLL_S)


async def scripted(run: AgentRun, message: str) -> str:
    """Do the steps of `message`, and say that they are done."""
    _note(run, "begun")
    for verb, *arguments in json.loads(message):
        match verb:
            case "think":
                count, pause_s = arguments
                for number in range(count):
                    await run.thinking(f"thought {number}")
                    _note(run, "said")
                    await asyncio.sleep(pause_s)
            case "flood":
                count, size = arguments
                for _ in range(count):
                    await run.thinking("x" * size)
            case "wait":
                while not Path(arguments[0]).exists():  # noqa: ASYNC110, ASYNC240
                    await asyncio.sleep(POLL_S)
            case "block":
                async with run.tool("block", {}) as tool:
                    _note(run, BLOCKING)
                    time.sleep(arguments[0])  # noqa: ASYNC251 - that is the fault
                    tool.results = {"blocked_s": arguments[0]}
            case "hold":
                async with run.tool("hold", {}):
                    _note(run, BLOCKING)
                    while not Path(arguments[0]).exists():  # noqa: ASYNC240
                        time.sleep(POLL_S)  # noqa: ASYNC251 - that is the fault
            case "thread":
                async with run.tool("thread", {}):
                    await asyncio.to_thread(_wait_for, Path(arguments[0]))
            case "print":
                count, size = arguments
                for _ in range(count):
                    print("x" * size)  # noqa: T201 - what an agent prints goes to the log
            case "raise":
                await _broken(run, *arguments)
            case "catch":
                try:
                    await _broken(run, *arguments)
                except Exception:
                    await run.thinking("So without it.")
    return "That is all."

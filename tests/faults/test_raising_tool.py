"""A tool that raises: its run ends as the grammar says, and what went wrong is for the log."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

import pytest
from measuring import Measured
from neighbour import FREE, ROOM, talking
from plain_client import Frame, dial, read_until, request, run_fault, say
from processes import Server
from scripted_agent import KINDS, NOT_JSON
from scripted_server import metric, mint, scripted_server

FATAL = {"SystemExit", "CancelledError"}
"""What an agent does not catch with `except Exception`."""

UNSPEAKABLE = "Unspeakable"
RAISED = [*({*KINDS} - {UNSPEAKABLE}), "group", "chain", NOT_JSON]
CAUGHT = [kind for kind in RAISED if kind not in FATAL]


class Case(NamedTuple):
    """One run with a tool that raises `words`, and all of its events."""

    kind: str
    words: str
    run: list[Frame]

    @property
    def end(self) -> dict[str, Any]:
        payload: dict[str, Any] = self.run[-1].message["payload"]
        return payload

    @property
    def run_id(self) -> str:
        return str(self.run[0].message["run_id"])

    def said(self, words: str) -> bool:
        return any(words in frame.text for frame in self.run[1:])  # the first repeats the message

    def outcomes(self) -> list[bool]:
        ends = [frame for frame in self.run if frame.message["type"] == "tool_completed"]
        return [frame.message["payload"]["success"] for frame in ends]


async def case(server: Server, verb: str, kind: str) -> Case:
    """Let a user of its own ask for a tool that raises, and see that the connection lives on."""
    words = f"secret {token_hex(8)}"
    async with dial(server.backend, mint(f"user-{token_hex(4)}")) as tab:
        await read_until(tab, "connection_ready")
        content = json.dumps([["think", 1, 0], [verb, kind, words], ["think", 1, 0]])
        await say(tab, {"type": "user_message", "content": content})
        run = await read_until(tab, "agent_completed")
        await say(tab, {"type": "ping"})
        after = await read_until(tab, "pong")
    assert [frame.message["type"] for frame in after] == ["pong"]  # no second agent_completed
    return Case(kind, words, run)


async def cases(server: Server, verb: str, kinds: list[str], times: int) -> list[Case]:
    done: list[Case] = []
    for _ in range(times):
        done += await asyncio.gather(*(case(server, verb, kind) for kind in kinds))
    return done


def described(server: Server, event: str) -> dict[str, str]:
    """Return the log lines with that event, by run."""
    return {line["run_id"]: json.dumps(line) for line in server.log() if line["event"] == event}


@pytest.mark.fault(
    "a tool that raises",
    promise="success: false, exactly one agent_completed, and the error in the log alone",
)
async def test_a_run_with_a_tool_that_raises_ends_once_and_says_why_in_the_log(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    times = 20 if soak else 1
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour:
            raised = await cases(server, "raise", RAISED, times)
            caught = await cases(server, "catch", CAUGHT, times)
            await neighbour.once_more()
        assert (await request(f"{server.backend}/ws/health")).status == 200
        failed = await metric(server, "runs_total", status="failed")
        lines = described(server, "run failed")
    for one in raised + caught:
        assert run_fault(one.run) is None, one
        assert one.outcomes() == [False], one
        assert not one.said(one.words), one
    assert {one.end["status"] for one in raised} == {"failed"}
    assert {one.end["status"] for one in caught} == {"completed"}
    for one in raised:
        assert one.words in lines[one.run_id] or one.kind == NOT_JSON, one.kind
    assert {*lines} == {one.run_id for one in raised}
    assert failed == len(raised)
    measured(
        "{raised} runs failed and {caught} went on, {kinds} kinds of errors: each ended once, "
        "none repeats the error; the neighbour had {neighbour} of {appended} events",
        raised=len(raised),
        caught=len(caught),
        kinds=len(RAISED),
        neighbour=neighbour.balance.delivered,
        appended=neighbour.balance.appended,
    )


async def test_the_log_has_what_the_agent_catches_and_bears_an_error_without_words(
    tmp_path: Path,
) -> None:
    with scripted_server(tmp_path) as server:
        (caught,) = await cases(server, "catch", ["ValueError"], 1)
        assert caught.words in server.stderr()
        (raised,) = await cases(server, "raise", [UNSPEAKABLE], 1)
        assert raised.end["status"] == "failed"
        assert {*described(server, "run failed")} == {raised.run_id}

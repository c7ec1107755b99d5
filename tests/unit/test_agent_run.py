"""An agent's run: whatever the agent does, the user gets a run that verifies."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import http
import json
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from limits import HANG_S
from tabs import verified

from netra_ws import events
from netra_ws.agent import (
    EVENTS_A_TURN,
    AgentRun,
    ToolCall,
    source_reader,
)
from netra_ws.client import ReceivedRun
from netra_ws.context import UserExecutionContext
from netra_ws.errors import EventRefused, GrammarError, IncompleteRun
from netra_ws.event_log import Position
from netra_ws.event_log.memory import Cursor, MemoryEventLog
from netra_ws.events import MAX_DEPTH
from netra_ws.manager import ManagerRegistry
from netra_ws.settings import Settings
from netra_ws.source import SHOWN_AWAITS, read_source

RunAgent = Callable[..., Awaitable[ReceivedRun]]
LogLines = list[dict[str, Any]]


def types(run: ReceivedRun) -> list[str]:
    return [json.loads(message)["type"] for message in run.messages]


def payloads(run: ReceivedRun, event_type: str) -> list[Any]:
    decoded = map(json.loads, run.messages)
    return [event["payload"] for event in decoded if event["type"] == event_type]


def end(run: ReceivedRun) -> tuple[str, str]:
    (payload,) = payloads(run, "agent_completed")
    return payload["status"], payload["final_response"]


FAILED = ("failed", "The agent failed.")


# The built-in agent

PYTHON = "async def f():\n    x = await g()\n    return [await h(x), await h(2)]\n"
TEXTS = {
    "Python with awaits": PYTHON,
    "Python without awaits": "x = 1",
    "plain words": "what happened to my events",
    "nothing": "",
    "only white space": " \n\t ",
    "null bytes": "x = 1\0",
    "text with every kind of line end": "a\rb\r\nc\u2028d\x0ce\x85f",
    "bad indentation": "  x\n y",
    "signs outside of ASCII": "ünï 用户 \U0001f600",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
async def test_the_built_in_agent_shows_all_five_types_for(text: str, run_agent: RunAgent) -> None:
    run = await run_agent(source_reader, text)
    run.verify()
    assert types(run) == list(events.EVENT_TYPES)
    assert end(run)[0] == "completed"
    assert payloads(run, "tool_completed")[0]["success"] is True
    assert payloads(run, "agent_started") == [{"message": text}]


@settings(max_examples=30)
@given(text=st.text())
async def test_the_built_in_agent_completes_for_any_text(text: str, run_agent: RunAgent) -> None:
    run = await run_agent(source_reader, text)
    run.verify()
    assert end(run)[0] == "completed"


async def test_the_built_in_agent_counts_awaits(run_agent: RunAgent) -> None:
    run = await run_agent(source_reader, PYTHON)
    assert end(run) == ("completed", "Python source; await expressions: 3.")


async def test_the_built_in_agent_counts_words(run_agent: RunAgent) -> None:
    run = await run_agent(source_reader, "three small words")
    assert end(run) == ("completed", "Text; words: 3.")


def test_awaits_are_listed_by_line() -> None:
    shown = read_source(PYTHON)["shown"]
    assert [await_["line"] for await_ in shown] == [2, 3, 3]
    assert shown[0]["expression"] == "x = await g()"


def test_only_the_first_awaits_are_listed() -> None:
    found = read_source("await f()\n" * (SHOWN_AWAITS + 5))
    assert found["awaits"] == SHOWN_AWAITS + 5
    assert [await_["line"] for await_ in found["shown"]] == list(range(1, SHOWN_AWAITS + 1))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_counts_them(line_end: str) -> None:
    found = read_source(line_end.join(["x = '\x0c\u2028'", "await f()"]))
    assert found["shown"] == [{"line": 2, "expression": "await f()"}]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hello", "text"),
        ("hello()", "python"),
        ("import os", "python"),
        ("1 + 1", "text"),
        ("do not await this", "text"),
        ("await f", "python"),
        (r'f("\d")', "python"),  # for which Python has a warning: an error in this suite
    ],
)
def test_text_is_source_if_it_parses_and_does_something(text: str, kind: str) -> None:
    assert read_source(text)["kind"] == kind


# Tools


async def test_a_tool_that_raises_is_reported_and_the_agent_can_go_on(run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        with pytest.raises(ValueError, match="secret"):
            async with run.tool("look", {"at": 1}):
                raise ValueError("secret")
        await run.thinking("Never mind.")
        return "done"

    run = await run_agent(agent)
    run.verify()
    (completed,) = payloads(run, "tool_completed")
    assert completed["success"] is False
    assert completed["results"] == {"error": "the tool failed"}
    assert end(run) == ("completed", "done")
    assert "secret" not in "".join(run.messages)


async def test_a_tool_that_raises_fails_the_run_of_an_agent_that_lets_it(
    run_agent: RunAgent, log_lines: LogLines
) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        async with run.tool("look", {}):
            raise ValueError("secret")

    run = await run_agent(agent)
    run.verify()
    assert payloads(run, "tool_completed")[0]["success"] is False
    assert end(run) == FAILED
    assert "secret" not in "".join(run.messages)
    assert [line["event"] for line in log_lines] == ["tool failed", "run failed"]
    assert isinstance(log_lines[0]["exc_info"], ValueError)


@dataclass
class Wrapped:
    inside: Any


def loop() -> list[Any]:
    around: list[Any] = []
    around.append(around)
    return around


def shared(levels: int, size: int = 10) -> Any:
    """A value that is small in memory and `size ** levels` long on the wire."""
    value: Any = "x" * size
    for _ in range(levels):
        value = [value] * size
    return value


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


class Text(str):
    __slots__ = ()


NOT_JSON = {
    "an object": object(),
    "a number that JSON does not have": float("nan"),
    "an endless number": [{"at": float("-inf")}],
    "an integer of more than 64 bits": 2**64,
    "an integer that Python does not print": 10**5000,
    "a negative one": [-(2**63) - 1],
    "a generator": (one for one in "ab"),
    "a function": loop,
    "a class": dict,
    "raw JSON that is none": msgspec.Raw(b"{"),
    "a raw part": {"at": [msgspec.Raw(b"1,2")]},
    "a key that is a number": {1: "a", "1": "b"},
    "a key that is nothing": {None: 1},
    "a key with a lone surrogate": [{"\udfff": 1}],
    "a subclass of str": [Text("a")],
    "an exception": ValueError("a"),
    "many levels": nested(1000),
    "one level too many": nested(MAX_DEPTH + 1),
    "what grows on the wire": shared(9),
    "long texts, often": ["x" * 1_000_000] * 1_000_000,
    "a date in a list in itself": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), loop()],
    "a dataclass with a lone surrogate": Wrapped("\ud800"),
    "a complex number": 1j,
    "a lone surrogate": "\ud800",
    "a key that is no word": {(1, 2): 3},
    "a list in itself": loop(),
}


@pytest.mark.parametrize("results", NOT_JSON.values(), ids=list(NOT_JSON))
async def test_results_that_are_not_json_fail_the_tool(results: Any, run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        async with run.tool("look", {}) as tool:
            tool.results = results
        return "not reached"

    run = await run_agent(agent)
    run.verify()
    assert payloads(run, "tool_completed")[0]["success"] is False
    assert end(run) == FAILED


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=list(NOT_JSON))
async def test_parameters_that_are_not_json_start_no_tool(value: Any, run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        async with run.tool("look", {"at": value}):
            return "not reached"

    run = await run_agent(agent)
    run.verify()
    assert types(run) == ["agent_started", "agent_completed"]
    assert end(run) == FAILED


@pytest.mark.parametrize("how", ["gather", "task group", "nested", "crossed"])
async def test_tool_calls_may_overlap(how: str, run_agent: RunAgent) -> None:
    async def call(run: AgentRun, name: str, after: asyncio.Event, then: asyncio.Event) -> None:
        async with run.tool(name, {}) as tool:
            then.set()
            await after.wait()
            await run.thinking(f"In {name}.")
            tool.results = name

    async def agent(run: AgentRun, _message: str) -> str:
        first, second = asyncio.Event(), asyncio.Event()
        calls = call(run, "one", first, second), call(run, "two", second, first)
        match how:
            case "gather":
                await asyncio.gather(*calls)
            case "task group":
                async with asyncio.TaskGroup() as group:
                    for one in calls:
                        group.create_task(one)
            case "nested":
                async with run.tool("outer", {}):
                    await asyncio.gather(*calls)
            case "crossed":
                outer = run.tool("outer", {})
                await outer.__aenter__()
                await asyncio.gather(*calls)
                await outer.__aexit__(None, None, None)
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert types(run)[-6:-1].count("tool_completed") >= 2
    called = [payload["tool_call_id"] for payload in payloads(run, "tool_executing")]
    assert len({*called}) == len(called)
    for payload in payloads(run, "tool_completed"):
        assert payload["success"]
        assert payload["tool_call_id"] in called
        assert payload["results"] == (
            None if payload["tool_name"] == "outer" else payload["tool_name"]
        )
    assert end(run) == ("completed", "done")


async def test_one_tool_of_two_fails_and_the_other_goes_on(run_agent: RunAgent) -> None:
    async def call(run: AgentRun, fails: bool) -> None:
        async with run.tool("look", {"fails": fails}):
            await asyncio.sleep(0)
            if fails:
                raise KeyError("broken")
            await asyncio.sleep(0)

    async def agent(run: AgentRun, _message: str) -> str:
        ends = await asyncio.gather(call(run, True), call(run, False), return_exceptions=True)
        return str([type(one).__name__ for one in ends])

    run = await run_agent(agent)
    run.verify()
    assert [payload["success"] for payload in payloads(run, "tool_completed")] == [False, True]
    assert end(run) == ("completed", "['KeyError', 'NoneType']")


async def test_all_calls_that_are_open_at_the_end_are_closed_first(run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        for name in ("one", "two", "three"):
            await run.tool(name, {}).__aenter__()
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert types(run)[-4:] == ["tool_completed"] * 3 + ["agent_completed"]
    assert not any(payload["success"] for payload in payloads(run, "tool_completed"))


async def test_a_tool_call_is_entered_once(run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        async with run.tool("look", {}) as tool:
            with pytest.raises(GrammarError, match=r"call run\.tool again"):
                await tool.__aenter__()
        with pytest.raises(GrammarError, match=r"call run\.tool again"):
            await tool.__aenter__()
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert end(run) == ("completed", "done")
    assert types(run).count("tool_completed") == 1


@pytest.mark.parametrize("name", [None, 5, b"look", "\ud800", ["look"]], ids=repr)
async def test_a_tool_without_a_proper_name_starts_no_tool(name: Any, run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        with pytest.raises(EventRefused):
            await run.tool(name, {}).__aenter__()
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert types(run) == ["agent_started", "agent_completed"]
    assert end(run) == ("completed", "done")


@pytest.mark.parametrize("parameters", [None, 5, "text", [], [("at", 1)], {1: 2}], ids=repr)
async def test_parameters_that_are_no_object_start_no_tool(
    parameters: Any, run_agent: RunAgent
) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        with pytest.raises(EventRefused, match="parameters of a tool: expected"):
            await run.tool("look", parameters).__aenter__()
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert types(run) == ["agent_started", "agent_completed"]


@pytest.mark.parametrize("reasoning", [None, 5, b"text", "\udcff", Text("a"), ["a"]], ids=repr)
async def test_a_thought_that_is_no_text_is_refused(reasoning: Any, run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        with pytest.raises(EventRefused, match="expected"):
            await run.thinking(reasoning)
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert types(run) == ["agent_started", "agent_completed"]


class Colour(enum.StrEnum):
    RED = "red"


SENDABLE = {
    "all kinds": ({"a": [1, -1.5, None, True, "ä\0\U0001f600"], "b": {}}, None),
    "the largest integers": ([2**64 - 1, -(2**63)], None),
    "a tuple": ((1, (2,)), [1, [2]]),
    "an ordered dictionary": (OrderedDict(a=1), {"a": 1}),
    "an enum": ([Colour.RED, {Colour.RED: http.HTTPStatus.OK}], ["red", {"red": 200}]),
    "a dataclass": ([Wrapped("a")], [{"inside": "a"}]),
    "a date": (dt.date(2026, 1, 2), "2026-01-02"),
    "as many levels as there may be": (nested(MAX_DEPTH - 1), None),
}


@pytest.mark.parametrize(("value", "sent"), SENDABLE.values(), ids=list(SENDABLE))
async def test_what_has_a_form_in_json_is_sent_so(
    value: Any, sent: Any, run_agent: RunAgent
) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        async with run.tool("look", {"at": value}) as tool:
            tool.results = value
        return "done"

    run = await run_agent(agent)
    run.verify()
    expected = value if sent is None else sent
    assert payloads(run, "tool_executing")[0]["parameters"] == {"at": expected}
    assert payloads(run, "tool_completed")[0]["results"] == expected


async def test_each_tool_call_has_an_id_of_its_own(run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        for _ in range(3):
            async with run.tool("look", {}):
                pass
        return "done"

    run = await run_agent(agent)
    run.verify()
    called = [payload["tool_call_id"] for payload in payloads(run, "tool_executing")]
    completed = [payload["tool_call_id"] for payload in payloads(run, "tool_completed")]
    assert called == completed
    assert len(set(called)) == 3


async def test_an_agent_may_think_during_a_tool(run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        async with run.tool("look", {}):
            await run.thinking("While I look:")
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert types(run)[1:4] == ["tool_executing", "agent_thinking", "tool_completed"]


async def test_a_refused_thought_takes_no_step(run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        await run.thinking("one")
        with pytest.raises(EventRefused, match="surrogates not allowed"):
            await run.thinking("\ud800")
        await run.thinking("two")
        return "done"

    run = await run_agent(agent)
    run.verify()
    assert [thought["step"] for thought in payloads(run, "agent_thinking")] == [1, 2]


# The end of a run


@pytest.mark.parametrize("response", [None, 7, b"bytes", ["text"]], ids=repr)
async def test_a_response_that_is_not_text_fails_the_run(
    response: Any, run_agent: RunAgent, log_lines: LogLines
) -> None:
    async def agent(_run: AgentRun, _message: str) -> Any:
        return response

    run = await run_agent(agent)
    run.verify()
    assert end(run) == FAILED
    assert "expected str" in str(log_lines[0]["exc_info"])


async def test_a_response_that_cannot_be_sent_fails_the_run(
    run_agent: RunAgent, log_lines: LogLines
) -> None:
    async def agent(_run: AgentRun, _message: str) -> str:
        return "half a pair: \ud800"

    run = await run_agent(agent)
    run.verify()
    assert end(run) == FAILED
    assert [line["event"] for line in log_lines] == ["run failed"]


async def test_an_agent_that_exits_ends_its_own_run_only(run_agent: RunAgent) -> None:
    async def agent(_run: AgentRun, _message: str) -> str:
        sys.exit(3)

    run = await run_agent(agent)
    run.verify()
    assert end(run) == FAILED


async def test_an_agent_may_be_any_callable(run_agent: RunAgent) -> None:
    class Parrot:
        async def __call__(self, _run: AgentRun, message: str) -> str:
            return message

    run = await run_agent(Parrot(), "hello")
    run.verify()
    assert end(run) == ("completed", "hello")
    assert {event.agent_name for event in run.events} == {"Parrot"}


# A run on a log, without a manager


class Bench:
    """A log, and a run on it."""

    def __init__(self) -> None:
        self.log = MemoryEventLog(Settings(retained_events=1000)).user("ann")
        self.cursor: Cursor = self.log.cursor(None, lambda: None)
        self.run = AgentRun(UserExecutionContext("ann"), "bench", "hello", self.log)

    def received(self) -> ReceivedRun:
        """What was sent, verified."""
        run = ReceivedRun()
        for message in self.cursor.take(1 << 30):
            run.add(message.decode(), events.decode(message))
        run.verify()
        return run


@asynccontextmanager
async def cancelled_soon() -> AsyncIterator[None]:
    """Cancel what is inside as soon as it waits."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        yield
    except asyncio.CancelledError:
        task.uncancel()
    else:
        pytest.fail("expected the cancellation to go on")


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_cancelled_tool_is_completed_before_its_run(bench: Bench) -> None:
    async with cancelled_soon(), bench.run as run, run.tool("wait", {}):
        await asyncio.Event().wait()
    received = bench.received()
    assert types(received) == [
        "agent_started",
        "tool_executing",
        "tool_completed",
        "agent_completed",
    ]
    assert payloads(received, "tool_completed")[0]["success"] is False
    assert end(received) == ("cancelled", "The run was stopped.")


async def test_a_tool_cancelled_at_its_first_wait_is_completed_and_the_run_goes_on(
    bench: Bench,
) -> None:
    async with bench.run as run:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), run.tool("wait", {}):
                await asyncio.Event().wait()
        await run.thinking("Never mind.")
        run.final_response = "done"
    received = bench.received()
    assert types(received)[1:4] == ["tool_executing", "tool_completed", "agent_thinking"]
    assert payloads(received, "tool_completed")[0]["success"] is False
    assert end(received) == ("completed", "done")


async def test_a_cancellation_inside_a_tool_is_completed_once(bench: Bench) -> None:
    waiting = asyncio.Event()

    async def work() -> None:
        async with bench.run as run, run.tool("wait", {}):
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    async with asyncio.timeout(HANG_S):
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    received = bench.received()
    assert len(payloads(received, "tool_completed")) == 1
    assert end(received)[0] == "cancelled"


async def test_a_cancelled_run_is_no_error_for_the_operator(
    bench: Bench, log_lines: LogLines
) -> None:
    async with cancelled_soon(), bench.run:
        await asyncio.Event().wait()
    assert end(bench.received())[0] == "cancelled"
    assert log_lines == []


async def test_a_run_without_a_response_has_failed(bench: Bench) -> None:
    async with bench.run:
        pass
    assert end(bench.received()) == FAILED


async def test_nothing_can_be_sent_after_the_end(bench: Bench) -> None:
    async with bench.run as run:
        run.final_response = "done"
    with pytest.raises(GrammarError, match="expected no further event, got agent_thinking"):
        await run.thinking("One more thing:")
    with pytest.raises(GrammarError, match="expected no further event, got tool_executing"):
        await run.tool("look", {}).__aenter__()
    assert types(bench.received()) == ["agent_started", "agent_completed"]


async def test_a_tool_that_outlives_its_run_is_completed_by_the_run(bench: Bench) -> None:
    async with bench.run as run:
        run.final_response = "done"
        tool = run.tool("look", {})
        await tool.__aenter__()
    await tool.__aexit__(None, None, None)
    received = bench.received()
    assert types(received)[-2:] == ["tool_completed", "agent_completed"]
    assert payloads(received, "tool_completed")[0]["success"] is False


async def test_a_run_begins_once(bench: Bench) -> None:
    async with bench.run as run:
        with pytest.raises(GrammarError, match="got agent_started"):
            await run.__aenter__()
        run.final_response = "done"
    assert types(bench.received()) == ["agent_started", "agent_completed"]


@pytest.mark.parametrize("with_tools", [False, True])
async def test_an_agent_that_waits_for_nothing_gives_others_their_turns(
    bench: Bench, with_tools: bool
) -> None:
    """One in `EVENTS_A_TURN` events, and one in a millisecond."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    async with bench.run as run:
        await asyncio.sleep(0)
        before = turns
        if with_tools:
            for _ in range(5 * EVENTS_A_TURN):
                async with run.tool("lookup", {}):
                    pass
        else:
            for _ in range(10 * EVENTS_A_TURN):
                await run.thinking("x")
        given = turns - before
    waiting.cancel()
    assert given >= 9  # out here: a run takes what is raised inside as its agent's failure


async def test_what_is_said_is_shown_before_the_next_word_however_long_that_takes(
    bench: Bench,
) -> None:
    """An agent that computes between two words and waits for nothing."""
    shown: list[int] = []

    async def other() -> None:
        while True:
            shown.append(bench.log.head)
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    async with bench.run as run:
        for _ in range(10):
            at = events.timestamp()
            while events.timestamp() == at:
                pass
            await run.thinking("x")
    waiting.cancel()
    assert {*shown} >= set(range(2, 12))


async def test_what_is_said_first_is_shown_before_an_agent_computes(bench: Bench) -> None:
    shown: list[int] = []
    at = events.timestamp()
    while events.timestamp() == at:
        pass
    async with bench.run as run:
        asyncio.get_running_loop().call_soon(lambda: shown.append(bench.log.head))
        await run.thinking("x")
        assert shown == [2]
        run.final_response = "done"
    assert end(bench.received()) == ("completed", "done")


# Threads, and tasks that are left behind


async def emit_from_a_thread(emit: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    await asyncio.to_thread(lambda: asyncio.run(emit()))


async def test_nothing_is_sent_from_another_thread(bench: Bench) -> None:
    async def enter(call: ToolCall) -> None:
        await call.__aenter__()

    async with bench.run as run:
        async with run.tool("open", {}) as call:
            attempts = {
                "thinking": lambda: run.thinking("x"),
                "a tool": lambda: enter(run.tool("look", {})),
                "the end of a tool": lambda: call.__aexit__(None, None, None),
            }
            for attempt in attempts.values():
                with pytest.raises(EventRefused, match="run_coroutine_threadsafe") as refused:
                    await emit_from_a_thread(attempt)
                assert "get_running_loop()" in str(refused.value)
            with pytest.raises(EventRefused, match="run_coroutine_threadsafe"):
                await asyncio.to_thread(call.fail)
        await run.thinking("one")
        run.final_response = "done"
    received = bench.received()
    assert types(received)[1:4] == ["tool_executing", "tool_completed", "agent_thinking"]
    assert payloads(received, "tool_completed")[0]["success"] is True
    assert payloads(received, "agent_thinking")[0]["step"] == 1


async def test_the_way_that_is_named_works(bench: Bench) -> None:
    loop = asyncio.get_running_loop()

    def work(run: AgentRun) -> None:
        for number in range(3):
            asyncio.run_coroutine_threadsafe(run.thinking(str(number)), loop).result(HANG_S)

    async with bench.run as run:
        await asyncio.gather(*(asyncio.to_thread(work, run) for _ in range(2)))
        run.final_response = "done"
    steps = [thought["step"] for thought in payloads(bench.received(), "agent_thinking")]
    assert steps == list(range(1, 7))


async def test_a_task_that_is_left_behind_is_told_that_the_run_has_ended(
    run_agent: RunAgent,
) -> None:
    left: list[asyncio.Task[None]] = []
    ended = asyncio.Event()

    async def late(run: AgentRun, with_tool: bool) -> None:
        await ended.wait()
        if with_tool:
            await use_tool(run)
        else:
            await run.thinking("One more thing:")

    async def agent(run: AgentRun, _message: str) -> str:
        left.extend(asyncio.create_task(late(run, with_tool)) for with_tool in (True, False))
        return "done"

    run = await run_agent(agent)
    ended.set()
    for error in await asyncio.gather(*left, return_exceptions=True):
        assert isinstance(error, GrammarError)
        assert "the run has ended" in str(error)
    run.verify()
    assert types(run) == ["agent_started", "agent_completed"]


async def test_a_run_waits_for_all_late_readers_at_once(bench: Bench) -> None:
    class Late:
        async def catch_up(self) -> None:
            await both.wait()
            late.discard(self)

    both = asyncio.Barrier(2)
    late = {Late(), Late()}
    async with bench.run as run, asyncio.timeout(HANG_S):
        run.late = late
        await run.thinking("Is anybody behind?")
        run.final_response = "done"
    assert not late


# Events that are too large


@pytest.mark.guards("max_event_bytes")
async def test_an_event_too_large_is_refused_and_the_run_ends_once(run_agent: RunAgent) -> None:
    limit = 100_000

    async def agent(run: AgentRun, _message: str) -> str:
        with pytest.raises(EventRefused, match=f"expected {limit} bytes at most"):
            await run.thinking("x" * limit)
        with pytest.raises(EventRefused, match="bytes at most"):
            await run.tool("look", {"at": "\0" * (limit // 5)}).__aenter__()
        with pytest.raises(EventRefused, match="bytes at most"):
            await run.tool("x" * (limit - 400), {}).__aenter__()
        with pytest.raises(EventRefused, match="bytes at most"):
            async with run.tool("look", {}) as tool:
                tool.results = ["x" * 100] * (limit // 100)
        with pytest.raises(KeyError):
            async with run.tool("x" * (limit - 800), {}):
                raise KeyError("broken")
        await run.thinking("x" * (limit - 400))
        return "x" * limit

    run = await run_agent(agent, "hello", Settings(max_event_bytes=limit))
    run.verify()
    assert max(map(len, run.messages)) <= limit
    assert [payload["success"] for payload in payloads(run, "tool_completed")] == [False, False]
    assert end(run) == FAILED


@pytest.mark.parametrize(
    "message", [None, 5, "\ud800", "x" * 400_000], ids=lambda one: repr(one)[:9]
)
async def test_a_message_that_cannot_be_echoed_starts_no_run(message: Any) -> None:
    context = UserExecutionContext("ann")
    manager = ManagerRegistry(agent=source_reader).manager(context)
    with pytest.raises(EventRefused, match="the message: expected"):
        manager.runs.start(context, message)
    assert (manager.runs.at_work, manager.events) == (0, 0)


@pytest.mark.parametrize("response", [5, "\ud800", "x" * (1 << 20)], ids=lambda one: repr(one)[:9])
async def test_a_response_that_is_set_by_hand_is_checked_too(bench: Bench, response: Any) -> None:
    async with bench.run as run:
        run.final_response = response
    assert end(bench.received()) == FAILED


async def test_an_agent_of_any_name_can_be_served(run_agent: RunAgent) -> None:
    class Named:
        def __init__(self, name: Any) -> None:
            self.__name__ = name

        async def __call__(self, _run: AgentRun, message: str) -> str:
            return message

    for name, sent in (("\ud800", "?"), (5, "5"), ("x" * 1000, "x" * 128)):
        run = await run_agent(Named(name), "hello")
        run.verify()
        assert {event.agent_name for event in run.events} == {sent}


async def test_every_event_carries_the_context_of_its_run(bench: Bench) -> None:
    async with bench.run as run:
        await source_reader(run, "hello")
        run.final_response = "done"
    context = run.context
    for event in bench.received().events:
        assert (event.user_id, event.thread_id, event.run_id) == (
            context.user_id,
            context.thread_id,
            context.run_id,
        )
        assert event.epoch == bench.log.epoch


async def test_runs_of_one_user_may_interleave() -> None:
    log = MemoryEventLog(Settings(retained_events=1000)).user("ann")
    cursor = log.cursor(None, lambda: None)
    runs = [AgentRun(UserExecutionContext("ann"), "bench", "hello", log) for _ in range(2)]
    async with runs[0] as one, runs[1] as other:
        for _ in range(3):
            await one.thinking("one")
            await other.thinking("other")
        one.final_response = other.final_response = "done"
    received = {run.context.run_id: ReceivedRun() for run in runs}
    for seq, message in enumerate(cursor.take(1 << 30), 1):
        event = events.decode(message)
        assert event.seq == seq
        received[event.run_id].add(message.decode(), event)
    for run in received.values():
        run.verify()


# Any agent at all


async def think(run: AgentRun) -> None:
    await run.thinking("Hm.")


async def think_unsendable(run: AgentRun) -> None:
    await run.thinking("\ud800")


async def use_tool(run: AgentRun) -> None:
    async with run.tool("look", {"at": [1, None]}) as tool:
        tool.results = {"seen": 1.5}


async def use_waiting_tool(run: AgentRun) -> None:
    async with run.tool("wait", {}):
        await asyncio.sleep(0)


async def use_raising_tool(run: AgentRun) -> None:
    async with run.tool("break", {}):
        raise KeyError("broken")


async def use_tool_without_json(run: AgentRun) -> None:
    async with run.tool("break", {}) as tool:
        tool.results = object()


async def nest_tools(run: AgentRun) -> None:
    async with run.tool("outer", {}), run.tool("inner", {}):
        pass


async def use_two_tools_at_once(run: AgentRun) -> None:
    await asyncio.gather(use_waiting_tool(run), use_waiting_tool(run))


async def use_many_tools_at_once(run: AgentRun) -> None:
    async with asyncio.TaskGroup() as group:
        for use in (use_waiting_tool, use_tool, use_raising_tool, nest_tools, time_out_in_tool):
            group.create_task(use(run))


async def leave_a_tool_open(run: AgentRun) -> None:
    await run.tool("open", {}).__aenter__()


async def leave_a_task_behind(run: AgentRun) -> None:
    task = asyncio.create_task(use_waiting_tool(run))
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    await asyncio.sleep(0)


async def send_poison(run: AgentRun) -> None:
    poison: Any = 5
    await run.thinking(poison)


async def emit_in_a_thread(run: AgentRun) -> None:
    await asyncio.to_thread(lambda: asyncio.run(run.thinking("x")))


async def think_in_tool(run: AgentRun) -> None:
    async with run.tool("look", {}):
        await run.thinking("Meanwhile:")


async def time_out_in_tool(run: AgentRun) -> None:
    async with asyncio.timeout(0), run.tool("wait", {}):
        await asyncio.Event().wait()


async def start_again(run: AgentRun) -> None:
    await run.__aenter__()


async def stop(_run: AgentRun) -> None:
    raise asyncio.CancelledError


async def leave(_run: AgentRun) -> None:
    sys.exit(1)


OPERATIONS = [
    think,
    think_unsendable,
    use_tool,
    use_waiting_tool,
    use_raising_tool,
    use_tool_without_json,
    nest_tools,
    use_two_tools_at_once,
    use_many_tools_at_once,
    leave_a_tool_open,
    leave_a_task_behind,
    send_poison,
    emit_in_a_thread,
    think_in_tool,
    time_out_in_tool,
    start_again,
    stop,
    leave,
]
steps = st.tuples(
    st.sampled_from(OPERATIONS), st.sampled_from(["raise", "catch", "catch", "catch"])
)


@settings(max_examples=200)
@given(plan=st.lists(steps, max_size=8), response=st.sampled_from(["done", "\ud800", None]))
@example(plan=[], response="done")
async def test_whatever_an_agent_does_its_run_verifies(
    plan: list[tuple[Any, str]], response: Any, run_agent: RunAgent
) -> None:
    async def agent(run: AgentRun, _message: str) -> Any:
        for operation, on_error in plan:
            try:
                await operation(run)
            except Exception:
                if on_error == "raise":
                    raise
        return response

    run = await run_agent(agent)
    run.verify()
    assert [event.seq for event in run.events] == list(range(1, len(run.events) + 1))
    assert end(run)[0] in {"completed", "failed", "cancelled"}


# The client's proof


@pytest.fixture
async def genuine(run_agent: RunAgent) -> ReceivedRun:
    """A run of seven messages with two thoughts in a row and a tool call."""

    async def agent(run: AgentRun, message: str) -> str:
        await run.thinking("one")
        await run.thinking("two")
        await use_tool(run)
        await run.thinking("three")
        return message

    run = await run_agent(agent)
    run.verify()
    return run


EVERY_MESSAGE = pytest.mark.parametrize("index", range(7))


@EVERY_MESSAGE
def test_a_dropped_message_is_noticed(genuine: ReceivedRun, index: int) -> None:
    messages = genuine.messages
    with pytest.raises(IncompleteRun):
        verified(messages[:index] + messages[index + 1 :])


@EVERY_MESSAGE
def test_a_duplicated_message_is_noticed(genuine: ReceivedRun, index: int) -> None:
    messages = genuine.messages
    with pytest.raises(IncompleteRun):
        verified(messages[: index + 1] + messages[index:])


@pytest.mark.parametrize("index", range(6))
def test_two_swapped_messages_are_noticed(genuine: ReceivedRun, index: int) -> None:
    messages = genuine.messages
    messages[index], messages[index + 1] = messages[index + 1], messages[index]
    with pytest.raises(IncompleteRun):
        verified(messages)


@pytest.mark.parametrize("index", range(6))
def test_an_altered_message_is_noticed(genuine: ReceivedRun, index: int) -> None:
    messages = genuine.messages
    messages[index] = messages[index].replace('"ann"', '"bob"')
    with pytest.raises(IncompleteRun, match="digest"):
        verified(messages)


@pytest.mark.parametrize("index", range(6))
def test_even_an_added_space_is_noticed(genuine: ReceivedRun, index: int) -> None:
    messages = genuine.messages
    messages[index] += " "
    with pytest.raises(IncompleteRun, match="digest"):
        verified(messages)


def test_a_run_cut_short_is_noticed(genuine: ReceivedRun) -> None:
    with pytest.raises(IncompleteRun, match="expected agent_completed after 6 events"):
        verified(genuine.messages[:-1])


def test_a_run_of_nothing_is_noticed() -> None:
    with pytest.raises(IncompleteRun, match="after 0 events"):
        ReceivedRun().verify()


def test_a_thought_dropped_from_a_row_is_noticed_by_the_count(genuine: ReceivedRun) -> None:
    with pytest.raises(IncompleteRun, match="expected 7 events, got 6"):
        verified(genuine.messages[:1] + genuine.messages[2:])


def test_a_seq_that_falls_is_noticed(genuine: ReceivedRun) -> None:
    run = ReceivedRun()
    for message in genuine.messages:
        run.add(message, events.decode(message.replace('"seq":3', '"seq":1')))
    with pytest.raises(IncompleteRun, match="rising seq"):
        run.verify()


async def test_a_run_longer_than_the_retained_window_verifies(run_agent: RunAgent) -> None:
    async def agent(run: AgentRun, _message: str) -> str:
        for number in range(50):
            await run.thinking(f"thought {number}")
            await asyncio.sleep(0)
        return "done"

    run = await run_agent(agent, "hello", Settings(retained_events=8))
    run.verify()
    assert len(run.events) == 52


def test_a_position_is_an_epoch_and_a_number() -> None:
    assert Position("e", 3)._asdict() == {"epoch": "e", "seq": 3}


async def test_a_call_is_entered_once_even_at_the_same_time(run_agent: RunAgent) -> None:
    async def enters_twice(run: AgentRun, _message: str) -> str:
        async def use() -> None:
            async with call:
                await asyncio.sleep(0)

        call = run.tool("shared", {})
        async with run.tool("first", {}):  # after which the next one lets others have a turn
            outcomes = await asyncio.gather(use(), use(), return_exceptions=True)
        return ", ".join(type(one).__name__ for one in outcomes)

    run = await run_agent(enters_twice)
    run.verify()
    assert end(run) == ("completed", "NoneType, GrammarError")


async def test_a_status_that_is_none_is_refused(run_agent: RunAgent) -> None:
    async def ends(run: AgentRun, _message: str) -> str:
        with pytest.raises(EventRefused, match=r"expected one of .*, got 'done'"):
            run.end("done", "so it is")  # type: ignore[arg-type]
        return "refused"

    run = await run_agent(ends)
    run.verify()
    assert end(run) == ("completed", "refused")

"""Agents that do what they should not, over the wire: their runs end, nobody else is touched."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import leash
import plain_client
import processes
import pytest
from flood import narrow
from plain_client import end_of, read_until, request, say
from polling import counted, until
from processes import Serve, Server, clean_environment
from tabs import (
    LIMIT_S,
    OpenTab,
    answers,
    chat,
    close_of,
    ready,
    receive,
    receive_type,
    serving,
    verified,
)
from websockets.exceptions import ConnectionClosed

import netra_ws.serving.server
from netra_ws.agent import AgentRun
from netra_ws.auth.tokens import Tokens
from netra_ws.client import Channel
from netra_ws.errors import CloseCode, EventRefused
from netra_ws.serving.process import _run_on, new_event_loop
from netra_ws.settings import Settings

SECRET = "a secret of more than thirty-two bytes"
TOKENS = Tokens(SECRET, Settings())

# What would end the process

AGENTS = """
import asyncio
import gc
import threading


class Odd(BaseException):
    pass


ERRORS = {error.__name__: error for error in (KeyboardInterrupt, SystemExit, GeneratorExit, Odd)}


class Unspeakable(Exception):
    def __init__(self, error):
        self.error = error

    def __str__(self):
        raise self.error


async def agent(run, message):
    name, how = message.split()
    error = ERRORS[name]
    loop = asyncio.get_running_loop()

    def end(*_):
        raise error(name)

    async def child():
        end()

    async def generator():
        try:
            yield
        finally:
            end()

    match how:
        case "itself":
            end()
        case "in_a_tool":
            async with run.tool("end", {}):
                end()
        case "in_a_task":
            await asyncio.create_task(child())
        case "in_a_group":
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                group.create_task(child())
        case "in_gather":
            await asyncio.gather(child(), child())
        case "in_a_thread":
            await asyncio.to_thread(end)
        case "through_a_thread":
            call = lambda: asyncio.run_coroutine_threadsafe(child(), loop).result()
            await asyncio.to_thread(call)
        case "in_its_words":
            raise Unspeakable(error(name))
        case "left_behind":
            asyncio.create_task(child())
        case "in_a_callback":
            loop.call_soon(end)
            loop.call_later(0.001, end)
            loop.call_soon_threadsafe(end)
        case "in_a_done_callback":
            asyncio.create_task(asyncio.sleep(0)).add_done_callback(end)
        case "in_a_raw_thread":
            thread = threading.Thread(target=end)
            thread.start()
            await asyncio.to_thread(thread.join)
        case "in_a_finalizer":
            type("Finalized", (), {"__del__": end})()
        case "in_a_generator":
            async for _ in generator():
                break
            gc.collect()
        case "by_a_stop_of_the_loop":
            loop.stop()
        case "on_cancellation":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                end()
    await asyncio.sleep(0.01)
    return "done"
"""
ERRORS = ("KeyboardInterrupt", "SystemExit", "GeneratorExit", "Odd")
FAILING = (
    "itself",
    "in_a_tool",
    "in_a_task",
    "in_a_group",
    "in_gather",
    "in_a_thread",
    "through_a_thread",
    "in_its_words",
)
BESIDE = (
    "left_behind",
    "in_a_callback",
    "in_a_done_callback",
    "in_a_raw_thread",
    "in_a_finalizer",
    "in_a_generator",
    "by_a_stop_of_the_loop",
)
"""What is raised where the run does not wait for it, and so does not meet it."""


@pytest.mark.parametrize("error", ERRORS)
async def test_what_an_agent_raises_ends_its_run_and_nothing_else(
    serve: Serve, tmp_path: Path, error: str
) -> None:
    (tmp_path / "agents.py").write_text(AGENTS)
    server = serve(
        "--agent", "agents:agent", "--service", "backend", env={"NETRA_WS_SECRET": SECRET}
    )
    async with (
        plain_client.connected(server, TOKENS.issue("ben")) as neighbour,
        plain_client.connected(server, TOKENS.issue("ann")) as tab,
    ):
        for how in (*FAILING, *BESIDE, "on_cancellation"):
            await say(tab, {"type": "user_message", "content": f"{error} {how}"})
            run = await read_until(tab, "agent_started")
            if how == "on_cancellation":
                run_id = run[-1].message["run_id"]
                await say(tab, {"type": "stop_agent", "run_id": run_id})
            run += await read_until(tab, "agent_completed")
            status = run[-1].message["payload"]["status"]
            assert (how, status) == (how, "completed" if how in BESIDE else "failed")
            for one in (neighbour, tab):
                await say(one, {"type": "ping"})
                assert [frame.message["type"] for frame in await read_until(one, "pong")] == [
                    "pong"
                ]
        assert (await request(f"{server.backend}/ws/health")).status == 200
        assert server.process.poll() is None
        assert await asyncio.to_thread(server.stop) == 0
        assert await end_of(neighbour) == (1012, "the server is stopping")


CANCELS = """
import asyncio

async def agent(run, message):
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
    return message
"""


async def test_an_agent_that_cancels_all_tasks_does_not_end_the_server(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "agents.py").write_text(CANCELS)
    settings = tmp_path / "settings.json"
    settings.write_text('{"idle_log_s": 0.01}')
    arguments = ("--agent", "agents:agent", "--service", "backend", "--settings", settings)
    server = serve(*arguments, env={"NETRA_WS_SECRET": SECRET})
    async with plain_client.connected(server, TOKENS.issue("ben")) as neighbour:
        async with plain_client.connected(server, TOKENS.issue("ann")) as tab:
            await say(tab, {"type": "user_message", "content": "hello"})
            run = await read_until(tab, "agent_completed")
            assert run[-1].message["payload"]["status"] == "completed"
        await say(neighbour, {"type": "ping"})
        await read_until(neighbour, "pong")
        assert (await request(f"{server.backend}/ws/health")).status == 200
        # What the server does by itself goes on: who is idle is forgotten.
        await counted(server, 1, "limit_exceeded_total", limit="idle_log_s")
        (said,) = logged_as(server, "an agent tried to end the process")
        assert said["error"]["type"] == "CancelledError"
        assert await asyncio.to_thread(server.stop) == 0
        assert await end_of(neighbour) == (1012, "the server is stopping")
    assert logged_as(server, "stopped")


def logged_as(server: Server, event: str) -> list[dict[str, Any]]:
    return [line for line in server.log() if line["event"] == event]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, new_event_loop])
def test_a_loop_goes_on_after_what_would_end_it(
    error: type[BaseException], make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    seen: list[str] = []

    async def fail() -> None:
        raise error

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        failing = [loop.create_task(fail()) for _ in range(3)]
        loop.call_soon(seen.append, "after")
        await asyncio.wait(failing)
        seen.extend(type(task.exception()).__name__ for task in failing)
        return True

    loop = make_loop()
    try:
        assert _run_on(loop, main())
    finally:
        loop.close()
    assert seen == ["after", *[error.__name__] * 3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_the_server_itself_raises_ends_it(error: type[BaseException]) -> None:
    async def main() -> bool:
        raise error

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(error):
            _run_on(loop, main())
    finally:
        loop.close()


EMBEDDED = f"""
import asyncio

from netra_ws import ManagerRegistry
from netra_ws.auth.tokens import Tokens
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings


async def agent(run, message):
    raise KeyboardInterrupt


async def main():
    tokens = Tokens({SECRET!r}, Settings())
    async with Backend(ManagerRegistry(agent=agent), tokens) as backend:
        print(backend.url, flush=True)
        await asyncio.Event().wait()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


async def test_embedded_a_keyboard_interrupt_goes_on_to_whoever_runs_the_loop(
    tmp_path: Path,
) -> None:
    """And whoever is connected is told to come back."""
    process = leash.start(
        [sys.executable, "-c", EMBEDDED],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=-1,
        stderr=-1,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        url = (await asyncio.to_thread(process.stdout.readline)).strip()
        async with plain_client.dial(url, TOKENS.issue("ann")) as tab:
            await read_until(tab, "connection_ready")
            await say(tab, {"type": "user_message", "content": "hello"})
            run = await read_until(tab, "agent_completed")
            assert run[-1].message["payload"]["status"] == "failed"
            assert await end_of(tab) == (1012, "the server is stopping")
        said, errors = await asyncio.to_thread(process.communicate)
        assert said.endswith("interrupted\n"), errors
        assert process.returncode == 0
    finally:
        leash.end(process)


async def test_a_handler_that_is_cancelled_closes_with_1012(
    tokens: Tokens, open_tab: OpenTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[asyncio.Task[Any] | None] = []

    async def hangs(*_: object) -> None:
        entered.append(asyncio.current_task())
        await asyncio.Event().wait()

    async with serving(tokens) as backend:
        with monkeypatch.context() as patch:
            patch.setattr(netra_ws.serving.server, "websocket_endpoint", hangs)
            async with open_tab(backend) as tab:
                (handler,) = entered
                assert handler is not None
                handler.cancel()
                end = (CloseCode.SERVICE_RESTART, "the server is stopping", [])
                assert await close_of(tab) == end
        async with open_tab(backend) as tab:
            await ready(tab)


async def test_a_request_whose_handler_is_cancelled_is_answered_with_503(
    tokens: Tokens, fetch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: asyncio.Queue[asyncio.Task[Any] | None] = asyncio.Queue()

    async def hangs(*_: object) -> None:
        entered.put_nowait(asyncio.current_task())
        await asyncio.Event().wait()

    async with serving(tokens) as backend:
        monkeypatch.setattr(backend, "_answer", hangs)
        asking = asyncio.create_task(fetch(backend.url, "/ws/health"))
        async with asyncio.timeout(LIMIT_S):
            handler = await entered.get()
            assert handler is not None
            handler.cancel()
            assert (await asking).status == 503


# What would break a client


POISON: dict[str, Callable[[AgentRun], Any]] = {
    "a thought that is a number": lambda run: run.thinking(5),  # type: ignore[arg-type]
    "a tool without a name": lambda run: run.tool(None, None).__aenter__(),  # type: ignore[arg-type]
    "many levels": lambda run: run.tool(
        "x", {"at": json.loads("[" * 900 + "]" * 900)}
    ).__aenter__(),
    "a number too large": lambda run: run.tool("x", {"at": 10**400}).__aenter__(),
    "half a pair": lambda run: run.thinking("\ud800"),
    "too much": lambda run: run.thinking("x" * (1 << 20)),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=list(POISON))
@pytest.mark.usefixtures("log_lines")
async def test_poison_is_refused_to_the_agent_and_the_client_lives_on(
    tokens: Tokens, poison: Callable[[AgentRun], Any]
) -> None:
    async def agent(run: AgentRun, message: str) -> str:
        if message == "poison":
            await poison(run)
        with pytest.raises(EventRefused):
            await poison(run)
        return message

    async with (
        serving(tokens, agent=agent) as backend,
        Channel(backend.url, tokens.issue("ann")) as ann,
    ):
        failed = await ann.chat("poison")
        failed.verify()
        assert '"failed"' in failed.messages[-1]
        assert len(failed.messages) == 2
        assert '"completed"' in (await ann.chat("hello")).messages[-1]


@pytest.mark.guards("max_event_bytes")
async def test_the_largest_events_are_delivered_and_the_limit_is_shown(
    tokens: Tokens, fetch: Callable[..., Any]
) -> None:
    limit = Settings().max_event_bytes

    async def agent(run: AgentRun, _message: str) -> str:
        for _ in range(20):
            async with run.tool("large", {"at": "x" * (limit - 1000)}) as tool:
                tool.results = "x" * (limit - 1000)
        return "x" * (limit - 1000)

    async with (
        serving(tokens, agent=agent) as backend,
        Channel(backend.url, tokens.issue("ann")) as ann,
    ):
        run = await ann.chat("hello", LIMIT_S)
        run.verify()
        assert len(run.messages) == 42
        shown = json.loads((await fetch(backend.url, "/ws/config")).body)["limits"]
    assert shown["max_event_bytes"] == limit


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_event_bytes": 0}, "max_event_bytes"),
        ({"max_event_bytes": 397_311}, "max_event_bytes: expected 397312 at least"),
        ({"max_message_bytes": 174_081}, "max_event_bytes: expected"),
        ({"retained_bytes": 2_097_151}, "retained_bytes: expected 2097152 at least"),
        ({"max_event_bytes": 1_048_577}, "retained_bytes: expected 2097154 at least"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused_at_the_start(
    tmp_path: Path, limits: dict[str, int], words: str
) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(limits))
    arguments = ("serve", "--port", "0", "--settings", "settings.json")
    refused = processes.netra_ws(*arguments, cwd=tmp_path)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


# Agents that are faster than their readers


async def fast(run: AgentRun, message: str) -> str:
    """Say very much, and wait for nothing."""
    for number in range(int(message)):
        await run.thinking(f"thought {number}")
    return "done"


async def loud(run: AgentRun, message: str) -> str:
    """The same, with events of 20 KB."""
    for _ in range(int(message)):
        await run.thinking("x" * 20_000)
    return "done"


COMPUTES = """
import time
from pathlib import Path


async def agent(run, message):
    for number in range(3):
        await run.thinking(str(number))
        time.sleep(0.005)
        while not Path(f"seen-{number}").exists():
            time.sleep(0.005)
    return "done"
"""


async def test_what_an_agent_says_is_shown_before_it_computes(serve: Serve, tmp_path: Path) -> None:
    """It keeps the loop to itself, and says the next thing when the last one has been seen."""
    (tmp_path / "computing.py").write_text(COMPUTES)
    environment = {"NETRA_WS_SECRET": SECRET}
    server = serve("--agent", "computing:agent", "--service", "backend", env=environment)
    async with plain_client.connected(server, TOKENS.issue("ann")) as tab:
        await say(tab, {"type": "user_message", "content": "hello"})
        for number in range(3):
            run = await read_until(tab, "agent_thinking")
            assert run[-1].message["payload"]["reasoning"] == str(number)
            (tmp_path / f"seen-{number}").touch()
        await read_until(tab, "agent_completed")


async def test_a_reader_that_reads_loses_nothing_of_a_fast_agent(
    tokens: Tokens, open_tab: OpenTab, log_lines: list[dict[str, Any]]
) -> None:
    async with serving(tokens, agent=fast) as backend, open_tab(backend) as tab:
        await ready(tab)
        run = verified(await chat(tab, "20000"))
        assert [event.seq for event in run.events] == list(range(1, 20_003))
    assert log_lines == []


async def test_several_fast_runs_lose_nothing_together(
    tokens: Tokens, open_tab: OpenTab, log_lines: list[dict[str, Any]]
) -> None:
    async with serving(tokens, agent=loud) as backend, open_tab(backend, max_size=None) as tab:
        await ready(tab)
        for _ in range(16):
            await say(tab, {"type": "user_message", "content": "100"})
        seqs: list[int] = []
        ended = 0
        while ended < 16:
            event = json.loads(await receive(tab))
            seqs.append(event["seq"])
            ended += event["type"] == "agent_completed"
    assert seqs == list(range(1, 16 * 102 + 1))
    assert log_lines == []


async def test_a_reader_that_does_not_read_is_cut_and_its_user_s_run_goes_on(
    tokens: Tokens, open_tab: OpenTab, log_lines: list[dict[str, Any]]
) -> None:
    """Others have all of it: a tab of the same user, and another user meanwhile."""
    settings = Settings(write_timeout_s=2.0, write_high_water_bytes=16 * 1024)
    async with (
        serving(tokens, settings, agent=loud) as backend,
        open_tab(backend, **narrow(backend)) as stalled,
        open_tab(backend, max_size=None) as tab,
        open_tab(backend, "bob", max_size=None) as bob,
    ):
        for one in (stalled, tab, bob):
            await ready(one)
        await say(tab, {"type": "user_message", "content": "1000"})
        messages = await receive_type(tab, "agent_thinking")
        verified(await chat(bob, "3"))
        verified(messages + await receive_type(tab, "agent_completed"))
        code, _, read = await close_of(stalled)
        assert code == CloseCode.FELL_BEHIND
        assert len(read) < 1000
        assert await answers(tab)
    assert {line["code"] for line in log_lines} == {CloseCode.FELL_BEHIND}


async def test_a_reader_that_takes_a_little_slows_runs_for_a_limited_time_in_all(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    settings = Settings(write_timeout_s=2.0, write_high_water_bytes=16 * 1024)

    messages: list[str] = []

    async def sip() -> None:
        while True:
            messages.append(await receive(slow))
            await asyncio.sleep(0.02)

    async with (
        serving(tokens, settings, agent=loud) as backend,
        open_tab(backend, **narrow(backend, 4096)) as slow,
        open_tab(backend, max_size=None) as tab,
    ):
        for one in (slow, tab):
            await ready(one)
        sipping = asyncio.create_task(sip())
        verified(await chat(tab, "1000"))
        with pytest.raises(ConnectionClosed) as closed:
            await sipping
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CloseCode.FELL_BEHIND
    assert [json.loads(one)["seq"] for one in messages] == list(range(1, len(messages) + 1))


async def test_a_user_without_a_reader_is_not_slowed(tokens: Tokens, open_tab: OpenTab) -> None:
    async with serving(tokens, agent=loud) as backend:
        async with open_tab(backend, **narrow(backend)) as tab:
            await ready(tab)
            await say(tab, {"type": "user_message", "content": "1000"})
            tab.transport.abort()
        await until(lambda: backend._registry.statistics().events == 1002, 0)

"""The backend on a real socket, seen by a plain WebSocket client: what it promises on the wire."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable

import pytest
from flood import narrow
from tabs import (
    A_TYPE_OF_60_KB,
    LIMIT_S,
    Fetch,
    OpenTab,
    answers,
    chat,
    close_of,
    ready,
    receive,
    receive_type,
    say,
    serving,
    verified,
)

from netra_ws.agent import Agent, AgentRun
from netra_ws.auth.tokens import Tokens
from netra_ws.context import UserExecutionContext
from netra_ws.errors import CloseCode, ConfigurationError
from netra_ws.event_log.memory import MemoryEventLog
from netra_ws.events import EVENT_TYPES
from netra_ws.manager import ManagerRegistry, get_websocket_manager
from netra_ws.serving.process import new_event_loop
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

# The first message, and the client's


async def test_the_first_message_says_where_delivery_begins(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        message = json.loads(await receive(tab))
    assert list(message) == ["type", "timestamp", "payload"]
    assert message["type"] == "connection_ready"
    assert list(message["payload"]) == [
        "connection_id",
        "epoch",
        "seq",
        "recovered",
        "lost",
        "runs",
    ]
    assert message["payload"] | {"connection_id": "", "epoch": ""} == {
        "connection_id": "",
        "epoch": "",
        "seq": 0,
        "recovered": None,
        "lost": 0,
        "runs": [],
    }


async def test_a_message_starts_a_run_that_verifies(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as tab:
        epoch = (await ready(tab))["epoch"]
        run = verified(await chat(tab))
    assert [event.__struct_config__.tag for event in run.events] == list(EVENT_TYPES)
    assert [event.seq for event in run.events] == [1, 2, 3, 4, 5]
    assert {(event.user_id, event.epoch) for event in run.events} == {("ann", epoch)}


async def test_a_message_may_name_its_thread(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        run = verified(await chat(tab, thread_id="thread-7"))
    assert {event.thread_id for event in run.events} == {"thread-7"}


async def test_messages_without_a_thread_share_that_of_the_connection(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        runs = [verified(await chat(tab)) for _ in range(2)]
    assert len({event.thread_id for run in runs for event in run.events}) == 1
    assert len({event.run_id for run in runs for event in run.events}) == 2


async def test_a_ping_is_answered_with_a_pong(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        await tab.send('{"type":"ping"}')
        pong = json.loads(await receive(tab))
    assert list(pong) == ["type", "timestamp", "payload"]
    assert (pong["type"], pong["payload"]) == ("pong", {})


async def wait_forever(run: AgentRun, _message: str) -> str:
    """Work until stopped."""
    async with run.tool("wait", {}):
        await asyncio.Event().wait()
    return "not reached"


async def test_a_run_can_be_stopped(tokens: Tokens, open_tab: OpenTab) -> None:
    async with serving(tokens, agent=wait_forever) as backend, open_tab(backend) as tab:
        await ready(tab)
        await say(tab)
        messages = await receive_type(tab, "tool_executing")
        run_id = json.loads(messages[0])["run_id"]
        await tab.send(json.dumps({"type": "stop_agent", "run_id": run_id}))
        messages += await receive_type(tab, "agent_completed")
    verified(messages)
    assert json.loads(messages[-1])["payload"]["status"] == "cancelled"


async def test_anothers_run_cannot_be_stopped(tokens: Tokens, open_tab: OpenTab) -> None:
    async with (
        serving(tokens, agent=wait_forever) as backend,
        open_tab(backend, "ann") as ann,
        open_tab(backend, "bob") as bob,
    ):
        await ready(ann)
        await ready(bob)
        await say(ann)
        run_id = json.loads((await receive_type(ann, "tool_executing"))[0])["run_id"]
        refusals = []
        for unknown in (run_id, "run-of-nobody"):
            await bob.send(json.dumps({"type": "stop_agent", "run_id": unknown}))
            refusals.append(json.loads(await receive(bob))["payload"])
    assert refusals[0] == refusals[1]
    assert refusals[0]["code"] == "unknown_run"


async def test_a_run_too_many_is_a_typed_error(tokens: Tokens, open_tab: OpenTab) -> None:
    settings = Settings(max_runs_per_user=1)
    async with serving(tokens, settings, agent=wait_forever) as backend, open_tab(backend) as tab:
        await ready(tab)
        await say(tab)
        await say(tab)
        error = json.loads((await receive_type(tab, "error"))[-1])
    assert error["payload"]["code"] == "too_many_runs"


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "invalid_json"),
    "broken JSON": ('{"type":', "invalid_json"),
    "half a surrogate pair": ('{"type":"user_message","content":"\\ud800"}', "invalid_json"),
    "a list": ("[]", "invalid_message"),
    "no type": ('{"content":"hello"}', "invalid_message"),
    "an unknown type": ('{"type":"shout"}', "invalid_message"),
    "an event's type": ('{"type":"agent_started"}', "invalid_message"),
    "a type that is no text": ('{"type":7}', "invalid_message"),
    "an unknown field": ('{"type":"ping","loud":true}', "invalid_message"),
    "another's user id": (
        '{"type":"user_message","content":"hi","user_id":"bob"}',
        "invalid_message",
    ),
    "no content": ('{"type":"user_message"}', "invalid_message"),
    "null for content": ('{"type":"user_message","content":null}', "invalid_message"),
    "an empty thread": ('{"type":"user_message","content":"","thread_id":""}', "invalid_message"),
    "a thread of two words": (
        '{"type":"user_message","content":"","thread_id":"a b"}',
        "invalid_message",
    ),
    "a thread with a newline": (
        '{"type":"user_message","content":"","thread_id":"a\\n"}',
        "invalid_message",
    ),
    "brackets in brackets": ("[" * 50_000, "invalid_message"),
    "a type of 60 kB": (A_TYPE_OF_60_KB, "invalid_message"),
    "no run to stop": ('{"type":"stop_agent","run_id":"run-0"}', "unknown_run"),
    "binary": (b'{"type":"ping"}', "binary_message"),
}


@pytest.mark.parametrize(("message", "code"), REFUSED.values(), ids=list(REFUSED))
async def test_a_refused_message_is_a_typed_error_and_the_session_lives_on(
    backend: Backend, open_tab: OpenTab, message: str | bytes, code: str
) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        await tab.send(message)
        error = json.loads(await receive(tab))
        assert list(error) == ["type", "timestamp", "payload"]
        assert (error["type"], error["payload"]["code"]) == ("error", code)
        assert 0 < len(error["payload"]["message"]) <= 200
        assert await answers(tab)


async def test_a_message_above_the_limit_closes_with_1009(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    settings = Settings(max_message_bytes=1000)
    async with serving(tokens, settings) as backend, open_tab(backend) as tab:
        await ready(tab)
        await say(tab, "x" * 1000)
        assert (await close_of(tab))[0] == CloseCode.MESSAGE_TOO_BIG


async def test_text_that_is_not_utf_8_closes_with_1007(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as tab:
        await ready(tab)
        await tab.send(b"\xff", text=True)
        assert (await close_of(tab))[0] == CloseCode.INVALID_DATA


# Delivery


async def test_two_tabs_of_a_user_get_the_same_bytes(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as one, open_tab(backend) as other:
        await ready(one)
        await ready(other)
        sent = await chat(one)
        assert await receive_type(other, "agent_completed") == sent


async def test_no_event_reaches_another_user(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend, "ann") as ann, open_tab(backend, "bob") as bob:
        await ready(ann)
        await ready(bob)
        await chat(ann)
        assert await answers(bob)


async def test_every_position_resumes_without_gap_or_duplicate(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        epoch = (await ready(tab))["epoch"]
        everything = await chat(tab) + await chat(tab)
    for seq in range(len(everything) + 1):
        async with open_tab(backend, query=f"?epoch={epoch}&seq={seq}") as tab:
            payload = await ready(tab)
            assert (payload["seq"], payload["recovered"], payload["lost"]) == (seq, True, 0)
            assert [await receive(tab) for _ in everything[seq:]] == everything[seq:]
            assert await answers(tab)


async def test_an_unknown_epoch_is_an_explicit_loss(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend, query="?epoch=another&seq=3") as tab:
        payload = await ready(tab)
    assert (payload["seq"], payload["recovered"], payload["lost"]) == (0, False, None)


async def test_a_trimmed_position_says_how_much_was_lost(tokens: Tokens, open_tab: OpenTab) -> None:
    async with serving(tokens, Settings(retained_events=3)) as backend:
        async with open_tab(backend) as tab:
            epoch = (await ready(tab))["epoch"]
            everything = await chat(tab)
        async with open_tab(backend, query=f"?epoch={epoch}&seq=1") as tab:
            payload = await ready(tab)
            assert (payload["seq"], payload["recovered"], payload["lost"]) == (2, False, 1)
            assert [await receive(tab) for _ in range(3)] == everything[2:]


async def test_a_position_of_another_user_opens_nothing(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend, "ann") as ann:
        epoch = (await ready(ann))["epoch"]
        await chat(ann)
    async with open_tab(backend, "bob", query=f"?epoch={epoch}&seq=0") as bob:
        payload = await ready(bob)
        assert payload["epoch"] != epoch
        assert (payload["recovered"], payload["lost"]) == (False, None)
        assert await answers(bob)


async def test_a_run_goes_on_when_its_connection_drops(tokens: Tokens, open_tab: OpenTab) -> None:
    go_on = asyncio.Event()

    async def agent(run: AgentRun, message: str) -> str:
        async with run.tool("wait", {}):
            await go_on.wait()
        return message

    async with serving(tokens, agent=agent) as backend:
        async with open_tab(backend) as tab:
            epoch = (await ready(tab))["epoch"]
            await say(tab)
            messages = await receive_type(tab, "tool_executing")
            tab.transport.abort()
        go_on.set()
        query = f"?epoch={epoch}&seq={len(messages)}"
        async with open_tab(backend, query=query) as tab:
            assert (await ready(tab))["recovered"] is True
            messages += await receive_type(tab, "agent_completed")
    verified(messages)
    assert json.loads(messages[-1])["payload"]["status"] == "completed"


async def test_an_event_is_on_the_wire_as_soon_as_its_tool_waits(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    arrived: list[bytes] = []

    async def agent(run: AgentRun, message: str) -> str:
        async with run.tool("block", {}):
            await asyncio.sleep(0)
            # The client's own code has not run since: its socket is asked.
            file = tab.transport.get_extra_info("socket").fileno()
            with socket.fromfd(file, socket.AF_INET, socket.SOCK_STREAM) as peeking:
                arrived.append(peeking.recv(1 << 16, socket.MSG_PEEK))
        return message

    async with serving(tokens, agent=agent) as backend, open_tab(backend) as tab:
        await ready(tab)
        await chat(tab)
    assert b'"tool_executing"' in arrived[0]


async def thinks_a_lot(run: AgentRun, message: str) -> str:
    """Emit more events than are retained, and wait for nothing."""
    for number in range(400):
        await run.thinking(f"{number} {'x' * 400}")
    return message


async def calls_a_lot(run: AgentRun, message: str) -> str:
    """The same with a tool."""
    for number in range(200):
        async with run.tool("lookup", {"number": number, "of": "x" * 400}) as tool:
            tool.results = "y" * 400
    return message


@pytest.mark.parametrize("agent", [thinks_a_lot, calls_a_lot])
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, new_event_loop])
def test_an_agent_that_waits_for_nothing_loses_nothing(
    agent: Agent, loop: Callable[[], asyncio.AbstractEventLoop], tokens: Tokens, open_tab: OpenTab
) -> None:
    """Guards `AgentRun.let_others`: a reader with small buffers would be pushed out."""

    async def talk() -> None:
        async with (
            serving(tokens, agent=agent) as backend,
            open_tab(backend, **narrow(backend, 4096)) as tab,
        ):
            await ready(tab)
            (socket_,) = backend._sockets
            system = socket_.transport.get_extra_info("socket")
            system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
            run = verified(await chat(tab))
        assert [event.seq for event in run.events] == list(range(1, 403))

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(talk())


# Limits and the end


@pytest.mark.parametrize("drop", [False, True], ids=["closed", "dropped"])
async def test_an_ended_connection_makes_room(
    tokens: Tokens, open_tab: OpenTab, fetch: Fetch, drop: bool
) -> None:
    settings = Settings(max_connections_per_user=1)
    event_log = MemoryEventLog(settings)
    async with serving(tokens, settings, event_log=event_log) as backend:
        for _ in range(2):
            async with open_tab(backend) as tab:
                await ready(tab)
                if drop:
                    tab.transport.abort()
            async with asyncio.timeout(LIMIT_S):
                while json.loads((await fetch(backend.url, "/ws/stats")).body)["connections"]:
                    pass
            assert not event_log.user("ann").cursors


async def test_a_stop_ends_runs_as_cancelled_and_connections_with_1012(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    async with serving(tokens, agent=wait_forever) as backend:
        tab = await open_tab(backend).__aenter__()
        await ready(tab)
        await say(tab)
        messages = await receive_type(tab, "tool_executing")
        # Leaving waits for the closing handshake, which the client answers by itself.
    code, _, rest = await close_of(tab)
    assert code == CloseCode.SERVICE_RESTART
    run = verified(messages + rest)
    assert json.loads(run.messages[-1])["payload"]["status"] == "cancelled"


async def test_a_stopped_backend_makes_room_for_another(tokens: Tokens) -> None:
    for _ in range(2):
        async with serving(tokens):
            assert not get_websocket_manager(UserExecutionContext("ann")).connections
    with pytest.raises(ConfigurationError):
        get_websocket_manager(UserExecutionContext("ann"))


async def test_a_second_backend_is_refused_and_the_first_goes_on(
    backend: Backend, tokens: Tokens, open_tab: OpenTab
) -> None:
    with pytest.raises(ConfigurationError, match="one backend a process"):
        async with serving(tokens):
            pass
    async with open_tab(backend) as tab:
        await ready(tab)


async def test_a_port_in_use_is_a_configuration_error(
    tokens: Tokens, unused_tcp_port_factory: Callable[[], int]
) -> None:
    port = unused_tcp_port_factory()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with server:
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            async with Backend(ManagerRegistry(), tokens, port=port):
                pass
    with pytest.raises(ConfigurationError, match="no backend runs"):
        get_websocket_manager(UserExecutionContext("ann"))

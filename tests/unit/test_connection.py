"""The backend on a real socket, seen by a plain WebSocket client: what it promises on the wire."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.typing import Subprotocol

from netra_ws.agent import AgentRun, source_reader
from netra_ws.auth.tokens import Tokens
from netra_ws.client import Client, ReceivedRun
from netra_ws.context import UserExecutionContext
from netra_ws.errors import CloseCode, ConfigurationError
from netra_ws.event_log.memory import MemoryEventLog, MemoryUserLog
from netra_ws.events import EVENT_TYPES, decode
from netra_ws.manager import ManagerRegistry, get_websocket_manager
from netra_ws.server import Backend
from netra_ws.settings import Settings

LIMIT_S = 10.0

Fetch = Callable[..., Awaitable[Any]]
LogLines = list[dict[str, Any]]
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


@asynccontextmanager
async def serving(
    tokens: Tokens, settings: Settings | None = None, *, echo: bool = False, **parts: Any
) -> AsyncIterator[Backend]:
    registry = ManagerRegistry(settings, **parts)
    async with Backend(registry, tokens, commit="c0ffee", echo=echo) as backend:
        yield backend


@pytest.fixture
async def backend(tokens: Tokens) -> AsyncIterator[Backend]:
    """A backend with the default settings and the built-in agent."""
    async with serving(tokens) as listening:
        yield listening


OpenTab = Callable[..., AbstractAsyncContextManager[ClientConnection]]


@pytest.fixture
def open_tab(tokens: Tokens) -> OpenTab:
    """A function that connects a user to a backend."""

    def open_it(backend: Backend, user: str = "ann", query: str = "", **options: Any) -> connect:
        options.setdefault("additional_headers", {"Authorization": f"Bearer {tokens.issue(user)}"})
        url = backend.url.replace("http", "ws", 1) + "/ws" + query
        return connect(url, proxy=None, open_timeout=LIMIT_S, **options)

    return open_it


async def receive(tab: ClientConnection) -> str:
    async with asyncio.timeout(LIMIT_S):
        return await tab.recv(decode=True)


async def receive_type(tab: ClientConnection, event_type: str) -> list[str]:
    """Return the messages up to the next one of that type."""
    messages = [await receive(tab)]
    while json.loads(messages[-1])["type"] != event_type:
        messages.append(await receive(tab))
    return messages


async def close_of(tab: ClientConnection) -> tuple[int, str, list[str]]:
    """Return the code and the reason with which the server closes, and what came before."""
    messages = []
    try:
        while True:
            messages.append(await receive(tab))
    except ConnectionClosed as closed:
        close = closed.rcvd or Close(1006, "")
        return close.code, close.reason, messages


async def ready(tab: ClientConnection) -> dict[str, Any]:
    message = json.loads(await receive(tab))
    assert message["type"] == "connection_ready"
    payload: dict[str, Any] = message["payload"]
    return payload


async def say(tab: ClientConnection, content: str = "hello", **more: str) -> None:
    await tab.send(json.dumps({"type": "user_message", "content": content, **more}))


async def chat(tab: ClientConnection, content: str = "hello", **more: str) -> list[str]:
    await say(tab, content, **more)
    return await receive_type(tab, "agent_completed")


async def answers(tab: ClientConnection) -> bool:
    await tab.send('{"type":"ping"}')
    return '"pong"' in await receive(tab)


def verified(messages: list[str]) -> ReceivedRun:
    run = ReceivedRun()
    for message in messages:
        run.add(message, decode(message))
    run.verify()
    return run


# The first message, and the client's


async def test_the_first_message_says_where_delivery_begins(
    backend: Backend, open_tab: OpenTab
) -> None:
    async with open_tab(backend) as tab:
        message = json.loads(await receive(tab))
    assert list(message) == ["type", "timestamp", "payload"]
    assert message["type"] == "connection_ready"
    assert list(message["payload"]) == ["connection_id", "epoch", "seq", "recovered", "lost"]
    assert message["payload"] | {"connection_id": "", "epoch": ""} == {
        "connection_id": "",
        "epoch": "",
        "seq": 0,
        "recovered": None,
        "lost": 0,
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
    "a type of 60 kB": (f'{{"type":"{"x" * 60_000}"}}', "invalid_message"),
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
    settings = Settings(max_message_bytes=100)
    async with serving(tokens, settings) as backend, open_tab(backend) as tab:
        await ready(tab)
        await say(tab, "x" * 100)
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


async def test_an_event_is_on_the_wire_before_its_tool_blocks(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    arrived: list[bytes] = []

    async def agent(run: AgentRun, message: str) -> str:
        async with run.tool("block", {}):
            # Nothing here waits, so the client's own code has not run: its socket is asked.
            file = tab.transport.get_extra_info("socket").fileno()
            with socket.fromfd(file, socket.AF_INET, socket.SOCK_STREAM) as peeking:
                arrived.append(peeking.recv(1 << 16, socket.MSG_PEEK))
        return message

    async with serving(tokens, agent=agent) as backend, open_tab(backend) as tab:
        await ready(tab)
        await chat(tab)
    assert b'"tool_executing"' in arrived[0]


async def test_an_agent_that_thinks_a_lot_at_once_loses_nothing(
    tokens: Tokens, open_tab: OpenTab
) -> None:
    async def agent(run: AgentRun, message: str) -> str:
        for number in range(300):  # more than are retained
            await run.thinking(f"thought {number}")
        return message

    async with serving(tokens, agent=agent) as backend, open_tab(backend) as tab:
        await ready(tab)
        run = verified(await chat(tab))
    assert [event.seq for event in run.events] == list(range(1, 303))


# Slow readers


FLOOD = 500
EVENT_BYTES = 32 * 1024


class Flood:
    """An agent that says very much when asked to, and is the built-in one else."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def __call__(self, run: AgentRun, message: str) -> str:
        """Answer."""
        if message != "flood":
            return await source_reader(run, message)
        for _ in range(FLOOD):
            await run.thinking("x" * EVENT_BYTES)
            await asyncio.sleep(0)
        self.over.set()
        return "done"


def narrow(backend: Backend) -> dict[str, Any]:
    """Return the options of a tab that takes little before it is read, whatever the system."""
    host, port = backend.url.removeprefix("http://").split(":")
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    small.connect((host, int(port)))
    return {"sock": small, "max_size": None, "max_queue": 1}


@pytest.fixture
def bystander(tokens: Tokens) -> Callable[[Backend], Client]:
    """A function that connects another user."""
    return lambda backend: Client(backend.url, tokens.issue("bob"))


async def test_a_stalled_reader_is_cut_with_4001_and_can_resume(
    tokens: Tokens,
    open_tab: OpenTab,
    bystander: Callable[[Backend], Client],
    logged: Callable[[str], Awaitable[dict[str, Any]]],
) -> None:
    settings = Settings(
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
        write_high_water_bytes=16 * 1024,
        write_timeout_s=0.1,
        close_timeout_s=LIMIT_S,
    )
    async with serving(tokens, settings, agent=Flood()) as backend, bystander(backend) as bob:
        async with open_tab(backend, **narrow(backend)) as tab:
            epoch = (await ready(tab))["epoch"]
            await say(tab, "flood")
            await bob.chat("hello")
            cut = await logged("connection cut")
            assert (cut["code"], cut["user_id"]) == (CloseCode.SLOW_CONSUMER, "ann")
            await bob.chat("hello")
            code, reason, messages = await close_of(tab)
        assert code == CloseCode.SLOW_CONSUMER
        assert reason == "a write stalled for more than 0.1 s"
        assert 0 < len(messages) < FLOOD
        query = f"?epoch={epoch}&seq={len(messages)}"
        async with open_tab(backend, query=query, max_size=None) as tab:
            assert (await ready(tab))["recovered"] is True
            messages += await receive_type(tab, "agent_completed")
    verified(messages)


async def test_a_reader_behind_the_window_is_cut_with_4002_and_told_its_loss(
    tokens: Tokens,
    open_tab: OpenTab,
    bystander: Callable[[Backend], Client],
    logged: Callable[[str], Awaitable[dict[str, Any]]],
) -> None:
    settings = Settings(retained_events=8, write_high_water_bytes=16 * 1024)
    agent = Flood()
    async with serving(tokens, settings, agent=agent) as backend, bystander(backend) as bob:
        async with open_tab(backend, **narrow(backend)) as tab:
            epoch = (await ready(tab))["epoch"]
            await say(tab, "flood")
            async with asyncio.timeout(LIMIT_S):
                await agent.over.wait()
            await bob.chat("hello")
            code, reason, messages = await close_of(tab)
        assert code == CloseCode.FELL_BEHIND
        assert "left the retained window" in reason
        assert (await logged("connection cut"))["code"] == CloseCode.FELL_BEHIND
        head = FLOOD + 2
        seen = len(messages)
        assert [decode(message).seq for message in messages] == list(range(1, seen + 1))
        query = f"?epoch={epoch}&seq={seen}"
        async with open_tab(backend, query=query, max_size=None) as tab:
            payload = await ready(tab)
            assert (payload["recovered"], payload["lost"]) == (False, head - 8 - seen)
            left = await receive_type(tab, "agent_completed")
        assert [decode(message).seq for message in left] == list(range(head - 7, head + 1))
        await bob.chat("hello")


async def test_a_reader_that_catches_up_is_not_cut(
    tokens: Tokens, open_tab: OpenTab, log_lines: LogLines
) -> None:
    settings = Settings(
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
        write_high_water_bytes=16 * 1024,
    )
    agent = Flood()
    async with (
        serving(tokens, settings, agent=agent) as backend,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        await say(tab, "flood")
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
        verified(await receive_type(tab, "agent_completed"))
        verified(await chat(tab))
    assert log_lines == []


async def test_a_stop_does_not_wait_for_a_stalled_reader(tokens: Tokens, open_tab: OpenTab) -> None:
    """Guards `close_timeout_s`: websockets alone would wait for room in the buffer."""
    settings = Settings(
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
        write_high_water_bytes=16 * 1024,
        write_timeout_s=60.0,
        close_timeout_s=0.1,
    )
    flood = Flood()
    async with AsyncExitStack() as stopping:
        backend = await stopping.enter_async_context(serving(tokens, settings, agent=flood))
        tab = await open_tab(backend, **narrow(backend))
        await ready(tab)
        await say(tab, "flood")
        async with asyncio.timeout(LIMIT_S):
            await flood.over.wait()
            await stopping.aclose()
        tab.transport.abort()
        await tab.wait_closed()


async def test_a_client_that_sends_and_never_reads_is_cut_with_4001(
    tokens: Tokens,
    open_tab: OpenTab,
    bystander: Callable[[Backend], Client],
    logged: Callable[[str], Awaitable[dict[str, Any]]],
) -> None:
    high_water = 16 * 1024
    settings = Settings(write_high_water_bytes=high_water, write_timeout_s=0.1)
    async with (
        serving(tokens, settings) as backend,
        bystander(backend) as bob,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        (served,) = (one for one in backend._sockets if one.remote_address == tab.local_address)
        # The system would take thousands of answers before anything stalls.
        system = served.transport.get_extra_info("socket")
        system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, high_water)
        unsent = served.transport.get_write_buffer_size

        async def shout() -> None:
            try:
                while True:
                    await tab.send(REFUSED["a type of 60 kB"][0])
                    assert unsent() < 4 * high_water
            except ConnectionClosed:
                pass

        async with asyncio.TaskGroup() as group:
            group.create_task(shout())
            cut = await logged("connection cut")
            assert (cut["code"], cut["user_id"]) == (CloseCode.SLOW_CONSUMER, "ann")
            assert 0 < unsent() < 4 * high_water
            await bob.chat("hello")
            assert (await close_of(tab))[0] == CloseCode.SLOW_CONSUMER
        await bob.chat("hello")


# Limits and the end


async def test_a_connection_too_many_is_closed_with_4501(tokens: Tokens, open_tab: OpenTab) -> None:
    async with (
        serving(tokens, Settings(max_connections_per_user=1)) as backend,
        open_tab(backend, "ann") as first,
        open_tab(backend, "ann") as second,
        open_tab(backend, "bob") as other,
    ):
        assert await close_of(second) == (4501, "too many connections", [])
        for tab in (first, other):
            await ready(tab)
            assert await answers(tab)


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
            assert get_websocket_manager(UserExecutionContext("ann")).connections == 0
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


# Who may connect


async def test_no_token_is_401_before_the_upgrade(backend: Backend, fetch: Fetch) -> None:
    answer = await fetch(backend.url, "/ws", *UPGRADE)
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="netra-ws"'
    assert json.loads(answer.body)["detail"] == "expected a valid bearer token"


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Bearer nonsense",
        "Authorization: Bearer \xff\xfe",
        "Authorization: Basic YW5uOnNlY3JldA==",
        "Sec-WebSocket-Protocol: netra.v1, bearer.nonsense",
        "Sec-WebSocket-Protocol: netra.v1, bearer.",
    ],
)
async def test_a_bad_token_is_401(backend: Backend, fetch: Fetch, header: str) -> None:
    assert (await fetch(backend.url, "/ws", *UPGRADE, header)).status == 401


async def test_a_token_in_the_address_is_no_token(
    backend: Backend, fetch: Fetch, tokens: Tokens
) -> None:
    path = f"/ws?token={tokens.issue('ann')}"
    assert (await fetch(backend.url, path, *UPGRADE)).status == 401


async def test_a_token_of_another_secret_is_401(backend: Backend, fetch: Fetch) -> None:
    token = Tokens("another secret, which is as long", Settings()).issue("ann")
    answer = await fetch(backend.url, "/ws", *UPGRADE, f"Authorization: Bearer {token}")
    assert answer.status == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", ""])
async def test_a_foreign_origin_is_403(
    backend: Backend, fetch: Fetch, tokens: Tokens, origin: str
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, "/ws", *UPGRADE, authorization, f"Origin: {origin}")
    assert answer.status == 403
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_doubled_token_is_401(backend: Backend, fetch: Fetch, tokens: Tokens) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, "/ws", *UPGRADE, authorization, authorization)
    assert answer.status == 401


async def test_a_second_origin_is_403(backend: Backend, fetch: Fetch, tokens: Tokens) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    origins = (f"Origin: {backend.url}", "Origin: https://evil.example")
    answer = await fetch(backend.url, "/ws", *UPGRADE, authorization, *origins)
    assert answer.status == 403


async def test_a_foreign_origin_without_a_token_is_401(backend: Backend, fetch: Fetch) -> None:
    answer = await fetch(backend.url, "/ws", *UPGRADE, "Origin: https://evil.example")
    assert answer.status == 401


async def test_the_own_origin_is_accepted(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend, origin=backend.url) as tab:
        await ready(tab)


async def test_a_token_may_come_as_a_subprotocol_and_is_not_echoed(
    backend: Backend, open_tab: OpenTab, tokens: Tokens
) -> None:
    offered = [Subprotocol(f"bearer.{tokens.issue('ann')}"), Subprotocol("netra.v1")]
    async with open_tab(backend, additional_headers={}, subprotocols=offered) as tab:
        await ready(tab)
        assert tab.response is not None
        assert tab.response.headers.get_all("Sec-WebSocket-Protocol") == ["netra.v1"]
        assert "bearer" not in str(tab.response.headers)


@pytest.mark.parametrize(
    "query", ["epoch=E", "seq=1", "epoch=&seq=", "epoch=E&seq=-1", "epoch=E&seq=x"]
)
async def test_half_a_position_is_400(
    backend: Backend, fetch: Fetch, tokens: Tokens, query: str
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, f"/ws?{query}", *UPGRADE, authorization)
    assert answer.status == 400
    assert "expected both epoch and a seq" in json.loads(answer.body)["detail"]


async def test_a_refused_token_is_logged_without_the_token(
    backend: Backend, fetch: Fetch, log_lines: LogLines
) -> None:
    await fetch(backend.url, "/ws", *UPGRADE, "Authorization: Bearer to.ken.secret")
    assert [line["event"] for line in log_lines] == ["token refused"]
    assert "secret" not in str(log_lines)


# Plain requests

ENDPOINTS = {
    "/ws/health": "application/json",
    "/ws/config": "application/json",
    "/ws/stats": "application/json",
    "/metrics": "text/plain",
}
EVERY_ENDPOINT = pytest.mark.parametrize(("path", "content_type"), ENDPOINTS.items())


@EVERY_ENDPOINT
async def test_a_get_is_answered(
    backend: Backend, fetch: Fetch, path: str, content_type: str
) -> None:
    answer = await fetch(backend.url, path)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(content_type)
    assert int(answer.headers["content-length"]) == len(answer.body) > 0


@EVERY_ENDPOINT
async def test_a_head_has_the_headers_of_a_get_and_no_body(
    backend: Backend, fetch: Fetch, path: str, content_type: str
) -> None:
    answer = await fetch(backend.url, path, method="HEAD")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.body == b""


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/ws", 401)])
async def test_a_refused_head_has_no_body_either(
    backend: Backend, fetch: Fetch, path: str, status: int
) -> None:
    answer = await fetch(backend.url, path, method="HEAD")
    assert (answer.status, answer.body) == (status, b"")


@EVERY_ENDPOINT
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_another_method_is_405_with_those_allowed(
    backend: Backend, fetch: Fetch, path: str, content_type: str, method: str
) -> None:
    answer = await fetch(backend.url, path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "status", "header", "value"),
    [("GET", 426, "upgrade", "websocket"), ("POST", 405, "allow", "GET, HEAD")],
)
async def test_a_plain_request_to_the_socket_is_told_what_is_expected(
    backend: Backend,
    fetch: Fetch,
    tokens: Tokens,
    method: str,
    status: int,
    header: str,
    value: str,
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    answer = await fetch(backend.url, "/ws", authorization, method=method)
    assert (answer.status, answer.headers[header]) == (status, value)
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["status"] == status


async def test_a_plain_request_to_the_socket_without_a_token_is_401(
    backend: Backend, fetch: Fetch
) -> None:
    assert (await fetch(backend.url, "/ws")).status == 401


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/nothing", "/WS/health", "//[", "/%2e"])
async def test_an_unknown_path_is_404(backend: Backend, fetch: Fetch, path: str) -> None:
    answer = await fetch(backend.url, path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [*ENDPOINTS, "/nothing", "/ws"])
async def test_no_answer_names_the_software(backend: Backend, fetch: Fetch, path: str) -> None:
    answer = await fetch(backend.url, path)
    assert not {"server", "x-powered-by"} & set(answer.headers)


async def test_an_upgrade_does_not_name_the_software(backend: Backend, open_tab: OpenTab) -> None:
    async with open_tab(backend) as tab:
        assert tab.response is not None
        assert tab.response.status_code == 101
        assert "Server" not in tab.response.headers
        assert "Sec-WebSocket-Extensions" not in tab.response.headers


async def test_health_names_its_components_and_the_commit(backend: Backend, fetch: Fetch) -> None:
    answer = json.loads((await fetch(backend.url, "/ws/health")).body)
    assert list(answer) == ["status", "components", "commit", "timestamp"]
    assert answer["status"] == "healthy"
    assert answer["components"] == {"manager": "healthy", "event_log": "healthy"}
    assert answer["commit"] == "c0ffee"


async def test_config_shows_the_limits_in_force(tokens: Tokens, fetch: Fetch) -> None:
    settings = Settings(retained_events=7)
    async with serving(tokens, settings) as backend:
        answer = json.loads((await fetch(backend.url, "/ws/config")).body)
    assert msgspec.convert(answer["limits"], Settings) == settings
    assert answer["event_types"] == list(EVENT_TYPES)
    assert answer["close_codes"]["4501"] == CloseCode.TOO_MANY_CONNECTIONS.meaning


async def test_stats_count_people_and_not_probes(
    backend: Backend, fetch: Fetch, open_tab: OpenTab
) -> None:
    await fetch(backend.url, "/ws/health")
    async with open_tab(backend) as tab:
        await ready(tab)
        await chat(tab)
        answer = json.loads((await fetch(backend.url, "/ws/stats")).body)
    assert answer == {"connections": 1, "users": 1, "runs": 0, "events": 5, "losses": 0}


async def test_metrics_count_handshakes_and_connections(
    backend: Backend, fetch: Fetch, open_tab: OpenTab
) -> None:
    await fetch(backend.url, "/ws", *UPGRADE)
    async with open_tab(backend) as tab:
        await ready(tab)
        lines = (await fetch(backend.url, "/metrics")).body.decode().splitlines()
    assert 'netra_ws_handshakes_total{status="401"} 1.0' in lines
    assert 'netra_ws_handshakes_total{status="101"} 1.0' in lines
    assert "netra_ws_connections 1.0" in lines


async def test_a_handshake_is_counted_once_under_the_status_that_was_sent(
    backend: Backend, fetch: Fetch, open_tab: OpenTab, tokens: Tokens
) -> None:
    authorization = f"Authorization: Bearer {tokens.issue('ann')}"
    keyless = [line for line in UPGRADE if "-Key" not in line]
    assert (await fetch(backend.url, "/ws", *keyless, authorization)).status == 400
    assert (await fetch(backend.url, "/ws", *UPGRADE, "Authorization: Bearer x")).status == 401
    async with open_tab(backend) as tab:
        await ready(tab)
        lines = (await fetch(backend.url, "/metrics")).body.decode().splitlines()
    assert {line for line in lines if line.startswith("netra_ws_handshakes_total")} == {
        f'netra_ws_handshakes_total{{status="{status}"}} 1.0' for status in (101, 400, 401)
    }


async def test_the_echo_path_is_there_only_when_asked_for(tokens: Tokens, fetch: Fetch) -> None:
    async with serving(tokens) as backend:
        assert (await fetch(backend.url, "/ws/test", *UPGRADE)).status == 404


async def test_the_echo_path_sends_back_what_comes(tokens: Tokens) -> None:
    async with serving(tokens, echo=True) as backend:
        url = backend.url.replace("http", "ws", 1) + "/ws/test"
        async with connect(url, proxy=None) as tab:
            for message in ("text", b"\x00\xff"):
                await tab.send(message)
                async with asyncio.timeout(LIMIT_S):
                    assert await tab.recv() == message


# Routes that fail


class LostLog(MemoryUserLog):
    """A log that takes events and gives them to nobody."""

    __slots__ = ()

    def append(self, encode: Callable[..., bytes]) -> bytes:
        """Lose the event."""
        return b"lost"


class LosingEventLog(MemoryEventLog):
    """An event log of such logs."""

    def user(self, user_id: str) -> MemoryUserLog:
        """Return a new one."""
        return LostLog(8, 1024)


class BrokenEventLog(MemoryEventLog):
    """An event log that cannot be reached."""

    def user(self, user_id: str) -> MemoryUserLog:
        """Raise what must not reach a client."""
        raise OSError("redis://secret@host refused")


async def test_health_is_503_when_the_canary_does_not_arrive(tokens: Tokens, fetch: Fetch) -> None:
    settings = Settings(canary_timeout_s=0.01)
    event_log = LosingEventLog(settings)
    async with serving(tokens, settings, event_log=event_log) as backend:
        answer = await fetch(backend.url, "/ws/health")
    assert answer.status == 503
    assert json.loads(answer.body)["components"] == {
        "manager": "healthy",
        "event_log": "unhealthy",
    }


@pytest.mark.parametrize("path", ["/ws/health", "/ws/config", "/ws/stats"])
async def test_a_route_that_raises_is_500_without_internals(
    tokens: Tokens, fetch: Fetch, log_lines: LogLines, path: str
) -> None:
    settings = Settings()
    async with serving(tokens, settings, event_log=BrokenEventLog(settings)) as backend:
        answer = await fetch(backend.url, path)
        metrics = (await fetch(backend.url, "/metrics")).body.decode()
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "the request failed; the log says where",
    }
    assert f'netra_ws_handler_failures_total{{route="{path}"}} 1.0' in metrics
    (line,) = log_lines
    assert (line["event"], line["route"], line["commit"]) == ("route failed", path, "c0ffee")
    assert isinstance(line["exc_info"], OSError)


async def test_a_handler_that_raises_closes_with_1011_and_nothing_else(
    tokens: Tokens, open_tab: OpenTab, log_lines: LogLines
) -> None:
    broken = BrokenEventLog(Settings())
    async with serving(tokens, event_log=broken) as backend, open_tab(backend) as tab:
        assert await close_of(tab) == (CloseCode.INTERNAL_ERROR, "", [])
    assert [line["event"] for line in log_lines] == ["route failed"]

"""Clients that do not read what they are sent: when they are cut, and that nobody else waits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from flood import EVENT_BYTES, FLOOD, Flood, narrow
from frames import BINARY, CLOSE, TEXT, frame, peer
from polling import until
from tabs import (
    A_TYPE_OF_60_KB,
    LIMIT_S,
    Fetch,
    LogLines,
    OpenTab,
    chat,
    close_of,
    ready,
    receive,
    receive_type,
    say,
    serving,
    verified,
)
from websockets.exceptions import ConnectionClosed

from netra_ws.auth.tokens import Tokens
from netra_ws.client import Channel
from netra_ws.errors import CloseCode
from netra_ws.events import decode
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings


@pytest.fixture
def bystander(tokens: Tokens) -> Callable[[Backend], Channel]:
    """A function that connects another user."""
    return lambda backend: Channel(backend.url, tokens.issue("bob"))


async def test_a_stalled_reader_is_cut_with_4001_and_can_resume(
    tokens: Tokens,
    open_tab: OpenTab,
    bystander: Callable[[Backend], Channel],
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
            cut = await logged("limit exceeded")
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
    bystander: Callable[[Backend], Channel],
    logged: Callable[[str], Awaitable[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("netra_ws.connection.OVERTAKE_S", LIMIT_S)  # however slow the agent is
    settings = Settings(retained_events=8, write_high_water_bytes=16 * 1024, write_timeout_s=0.1)
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
        assert (await logged("limit exceeded"))["code"] == CloseCode.FELL_BEHIND
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


async def test_a_pong_comes_after_what_was_there_before(tokens: Tokens, open_tab: OpenTab) -> None:
    """A client takes a pong for the word that it has everything up to its ping."""
    settings = Settings(
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
        write_high_water_bytes=16 * 1024,
    )
    async with serving(tokens, settings, agent=Flood()) as backend:
        async with open_tab(backend, max_size=None) as tab:
            epoch = (await ready(tab))["epoch"]
            everything = await chat(tab, "flood")
        query = f"?epoch={epoch}&seq=0"
        async with open_tab(backend, query=query, **narrow(backend)) as tab:
            await tab.send('{"type":"ping"}')
            await ready(tab)
            messages = await receive_type(tab, "pong")
    assert messages[:-1] == everything


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_the_echo_reads_no_faster_than_it_is_read(tokens: Tokens, opcode: int) -> None:
    """Guards `Backend._echo_back`: what its client does not read is not kept for it."""
    high_water = one_read = 256 * 1024
    settings = Settings(write_high_water_bytes=high_water, max_message_bytes=16 * 1024)
    data = b"x" * (16 * 1024)
    async with (
        serving(tokens, settings, echo=True) as backend,
        peer(backend.url, path="/ws/test", takes_bytes=4096) as ann,
    ):
        (served,) = backend._sockets
        system = served.transport.get_extra_info("socket")
        system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ann.writer.write(frame(opcode, data) * 300)
        turns = 0
        async with asyncio.timeout(LIMIT_S):
            while turns < 100:  # after much at once nothing is read for a turn, that is not meant
                turns = 0 if served.transport.is_reading() else turns + 1
                await asyncio.sleep(0)
        assert high_water < served.unsent_bytes < high_water + 2 * one_read
        for _ in range(300):
            assert await ann.receive() == (opcode, data)


# The end, while something waits


async def test_who_closes_while_a_reply_waits_is_gone_at_once(
    tokens: Tokens, log_lines: LogLines
) -> None:
    """What comes behind a message whose reply waits is read: a close, and the end of the stream."""
    settings = Settings(
        retained_bytes=4 * FLOOD * EVENT_BYTES,
        write_high_water_bytes=16 * 1024,
        close_timeout_s=6 * LIMIT_S,
    )
    agent = Flood(40)
    bearer = f"Authorization: Bearer {tokens.issue('ann')}"
    async with (
        serving(tokens, settings, agent=agent) as backend,
        peer(backend.url, bearer, takes_bytes=4096) as ann,
    ):
        await ann.receive()
        (served,) = backend._sockets
        system = served.transport.get_extra_info("socket")
        system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ann.send(TEXT, b'{"type":"user_message","content":"flood"}')
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
        ann.writer.write(frame(TEXT, b'{"type":"ping"}') + frame(CLOSE, b"\x03\xe8"))
        assert (await ann.receive_type(CLOSE)).code == CloseCode.NORMAL
        ann.writer.close()
        await until(lambda: not backend._port, 0)
    assert log_lines == []


async def test_who_is_let_go_while_a_reply_waits_can_say_goodbye(
    tokens: Tokens, open_tab: OpenTab, log_lines: LogLines
) -> None:
    """Guards `Socket.close`: nothing of a client is read whose reply waits, nor its close."""
    settings = Settings(
        retained_bytes=4 * FLOOD * EVENT_BYTES,
        write_high_water_bytes=16 * 1024,
        close_timeout_s=6 * LIMIT_S,
    )
    agent = Flood(40)
    async with (
        serving(tokens, settings, agent=agent) as backend,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        (served,) = backend._sockets
        system = served.transport.get_extra_info("socket")
        system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await say(tab, "flood")
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
            await tab.send('{"type":"ping"}')
            await until(lambda: not served.transport.is_reading(), 0)
        served.close(CloseCode.SERVICE_RESTART)
        code, _, messages = await close_of(tab)
    assert code == CloseCode.SERVICE_RESTART
    assert 0 < len(messages) < 40
    assert log_lines == []


async def test_who_is_cut_over_a_reply_can_say_goodbye(
    tokens: Tokens, logged: Callable[[str], Awaitable[dict[str, Any]]], log_lines: LogLines
) -> None:
    """Guards `Connection._reply`: others need the room of its events, in the very turn that it
    asks something.
    """
    room = {"retained_bytes": 1 << 20, "retained_bytes_total": 1 << 20}
    settings = Settings(**room, close_timeout_s=6 * LIMIT_S)
    bearer = f"Authorization: Bearer {tokens.issue('ann')}"
    async with serving(tokens, settings) as backend, peer(backend.url, bearer) as ann:
        await ann.receive()
        logs = backend._registry._event_log

        def overtake() -> None:
            logs.user("ann").append(lambda *_: bytes(1000))
            for _ in range(2):
                logs.user("bob").append(lambda *_: bytes(1 << 19))

        with ann.writer.get_extra_info("socket").dup() as client:
            client.send(frame(TEXT, b'{"type":"ping"}'))
        asyncio.get_running_loop().call_soon(overtake)
        assert (await ann.receive_type(CLOSE)).code == CloseCode.FELL_BEHIND
        ann.send(CLOSE, b"\x03\xe8")
        async with asyncio.timeout(LIMIT_S):
            assert await ann.reader.read() == b""
        await logged("limit exceeded")
    assert len(log_lines) == 1


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
    bystander: Callable[[Backend], Channel],
    logged: Callable[[str], Awaitable[dict[str, Any]]],
) -> None:
    high_water = 16 * 1024
    settings = Settings(
        write_high_water_bytes=high_water, write_timeout_s=0.1, max_messages_per_s=1e6
    )
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
                    await tab.send(A_TYPE_OF_60_KB)
                    assert unsent() < 4 * high_water
            except ConnectionClosed:
                pass

        async with asyncio.TaskGroup() as group:
            group.create_task(shout())
            cut = await logged("limit exceeded")
            assert (cut["code"], cut["user_id"]) == (CloseCode.SLOW_CONSUMER, "ann")
            assert 0 < unsent() < 4 * high_water
            await bob.chat("hello")
            assert (await close_of(tab))[0] == CloseCode.SLOW_CONSUMER
        await bob.chat("hello")


async def test_who_says_goodbye_with_bytes_unsent_is_let_go(
    tokens: Tokens, open_tab: OpenTab, fetch: Fetch
) -> None:
    """asyncio would wait for ever for such a reader, and then fail in closing."""
    settings = Settings(write_high_water_bytes=1 << 20, close_timeout_s=0.2)
    flood = Flood(20)
    async with serving(tokens, settings, agent=flood) as backend:
        tab = await open_tab(backend, **narrow(backend))
        await ready(tab)
        (served,) = (one for one in backend._sockets if one.remote_address == tab.local_address)
        system = served.transport.get_extra_info("socket")
        system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await say(tab, "flood")
        async with asyncio.timeout(LIMIT_S):
            await flood.over.wait()
            await until(lambda: served.unsent_bytes, 0)
            tab.transport.write_eof()
            while "netra_ws_connections 0.0" not in (
                (await fetch(backend.url, "/metrics")).body.decode()
            ):
                pass
        tab.transport.abort()
        await tab.wait_closed()


async def test_a_stop_waits_for_who_is_still_reading(tokens: Tokens, open_tab: OpenTab) -> None:
    """The run is over, its events are not: in a log of this process they would be lost."""
    settings = Settings(
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
        write_high_water_bytes=16 * 1024,
    )
    async with AsyncExitStack() as stopping:
        backend = await stopping.enter_async_context(serving(tokens, settings, agent=Flood(100)))
        tab = await open_tab(backend, **narrow(backend))
        await ready(tab)
        await say(tab, "flood")
        messages = [await receive(tab)]
        draining = asyncio.create_task(backend.drain(asyncio.Event()))
        messages += await receive_type(tab, "agent_completed")
        async with asyncio.timeout(LIMIT_S):
            await draining
        async with asyncio.TaskGroup() as group:
            group.create_task(stopping.aclose())
            code, _, rest = await close_of(tab)
    assert (code, rest) == (CloseCode.SERVICE_RESTART, [])
    verified(messages)

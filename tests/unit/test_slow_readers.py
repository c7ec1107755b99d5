"""Clients that do not read what they are sent: when they are cut, and that nobody else waits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tabs import (
    A_TYPE_OF_60_KB,
    LIMIT_S,
    LogLines,
    OpenTab,
    chat,
    close_of,
    ready,
    receive_type,
    say,
    serving,
    verified,
)
from websockets.exceptions import ConnectionClosed

from netra_ws.agent import AgentRun, source_reader
from netra_ws.auth.tokens import Tokens
from netra_ws.client import Client
from netra_ws.errors import CloseCode
from netra_ws.events import decode
from netra_ws.server import Backend
from netra_ws.settings import Settings

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
                    await tab.send(A_TYPE_OF_60_KB)
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

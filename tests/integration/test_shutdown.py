"""A stop: runs may finish, clients are told to come back, and the process ends whatever they do.

In how many seconds: tests/faults/test_sigterm.py, in a soak.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    closing,
)
from pathlib import Path
from typing import Any

import plain_client
import pytest
from clock import Clock
from frames import CLOSE, TEXT, Frame, peer
from limits import HANG_S
from plain_client import (
    UPGRADE,
    address,
    dial,
    end_of,
    read_until,
    request,
    run_fault,
    say,
)
from processes import Serve, Server
from raw_peer import LEAST_BUFFER, connect, read_to_the_end, upgraded
from websockets.asyncio.client import ClientConnection

import netra_ws.serving.server
from netra_ws.auth.tokens import Tokens
from netra_ws.manager import ManagerRegistry
from netra_ws.runs import CUT
from netra_ws.serving.server import CLOSE_BATCH_PAUSE_S, Backend
from netra_ws.settings import Settings

SECRET = "a secret of more than thirty-two bytes"
TOKENS = Tokens(SECRET, Settings())
FLOOD_BYTES = 9_000_000
"""More than the kernel keeps of a connection."""

DRAIN_S = 0.3

AGENTS = f"""
import asyncio
import threading
from pathlib import Path


async def until_told(run, message):
    await run.thinking("waiting")
    while not Path("told").exists():
        await asyncio.sleep(0.005)
    return "I was told."


async def never(run, message):
    async with run.tool("wait", {{}}):
        await asyncio.Event().wait()


async def swallows(run, message):
    await run.thinking("waiting")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass


async def in_a_thread(run, message):
    async with run.tool("sleep", {{}}):
        await asyncio.to_thread(threading.Event().wait)


async def in_its_own_thread(run, message):
    threading.Thread(target=threading.Event().wait).start()
    await never(run, message)


async def answers(run, message):
    return "At once."


async def floods(run, message):
    for _ in range(180):
        await run.thinking("x" * {FLOOD_BYTES // 180})
    return "That is all."
"""

Start = Callable[..., Server]


@pytest.fixture
def start(serve: Serve, tmp_path: Path) -> Start:
    """Start a backend with one of `AGENTS`, with these limits and further arguments."""

    def run(agent: str, *arguments: str, services: str = "backend", **limits: Any) -> Server:
        (tmp_path / "agents.py").write_text(AGENTS)
        (tmp_path / "settings.json").write_text(json.dumps(limits))
        service = ("--service", services) if services != "both" else ("--demo-users", "0")
        return serve(
            *("--agent", f"agents:{agent}", "--settings", "settings.json"),
            *(*service, *arguments),
            env={"NETRA_WS_SECRET": SECRET},
        )

    return run


def connected(server: Server, user: str = "ann") -> AbstractAsyncContextManager[ClientConnection]:
    return plain_client.connected(server, TOKENS.issue(user))


async def ask(tab: ClientConnection, content: str = "go") -> None:
    await say(tab, {"type": "user_message", "content": content})


async def stopping(server: Server) -> dict[str, Any]:
    """Return the first health answer that is not 200."""
    async with asyncio.timeout(HANG_S):
        while (health := await request(f"{server.backend}/ws/health")).status == 200:
            pass
    assert health.status == 503
    return health.json()


def stop(server: Server) -> asyncio.Task[int]:
    return asyncio.create_task(asyncio.to_thread(server.stop))


def limits_met(server: Server) -> list[str]:
    """Return the limits that the log says were met; no exception reached it."""
    assert "Traceback" not in server.stderr()
    lines = server.log()
    assert [line["event"] for line in lines if line["event"] in {"stopping", "stopped"}] == [
        "stopping",
        "stopped",
    ]
    return [line["limit"] for line in lines if line["event"] == "limit exceeded"]


PAUSE_S = 10.0
CLOSE_1012 = Frame(CLOSE, b"\x03\xf4the server is stopping")


# The drain


async def test_a_run_that_finishes_in_the_drain_is_completed_before_1012(
    start: Start, tmp_path: Path
) -> None:
    """Meanwhile health says `stopping` with 503, and no run starts."""
    server = start("until_told", drain_timeout_s=2 * HANG_S)
    async with connected(server) as tab, connected(server, "ben") as other:
        await ask(tab)
        run = await read_until(tab, "agent_thinking")
        stopped = stop(server)
        health = await stopping(server)
        assert (health["status"], health["components"]["event_log"]) == ("stopping", "healthy")
        for one in (other, tab):
            await ask(one)
            (refused,) = await read_until(one, "error")
            assert refused.message["payload"]["code"] == "stopping"
        async with connected(server, "eve") as late:
            await ask(late)
            (refused,) = await read_until(late, "error")
            assert refused.message["payload"]["code"] == "stopping"
        assert not stopped.done()
        (tmp_path / "told").touch()
        run += await read_until(tab, "agent_completed")
        assert [(await end_of(one))[0] for one in (tab, other)] == [1012, 1012]
        code = await stopped
    assert run_fault(run) is None
    assert run[-1].message["payload"]["status"] == "completed"
    assert (code, limits_met(server)) == (0, [])


@pytest.mark.guards("drain_timeout_s")
async def test_a_run_that_outlasts_the_drain_is_cancelled(start: Start) -> None:
    server = start("never", drain_timeout_s=DRAIN_S)
    async with connected(server) as tab:
        await ask(tab)
        run = await read_until(tab, "tool_executing")
        stopped = stop(server)
        run += await read_until(tab, "agent_completed")
        assert (await end_of(tab))[0] == 1012
        code = await stopped
    assert run_fault(run) is None
    end = run[-1].message["payload"]
    assert (end["status"], end["final_response"]) == CUT
    assert (code, limits_met(server)[0]) == (0, "drain_timeout_s")


async def test_a_second_signal_cuts_the_drain_short(start: Start) -> None:
    server = start("never", drain_timeout_s=2 * HANG_S)
    async with connected(server) as tab:
        await ask(tab)
        await read_until(tab, "tool_executing")
        stopped = stop(server)
        await stopping(server)
        server.process.send_signal(signal.SIGTERM)
        (*_, end) = await read_until(tab, "agent_completed")
        assert (await end_of(tab))[0] == 1012
        code = await stopped
    payload = end.message["payload"]
    assert (payload["status"], payload["final_response"]) == CUT
    assert (code, limits_met(server)) == (0, [])


async def test_after_a_restart_an_old_position_is_lost_and_said_to_be(start: Start) -> None:
    first = start("answers")
    port = first.backend.rpartition(":")[2]
    async with connected(first) as tab:
        await ask(tab)
        (*_, end) = await read_until(tab, "agent_completed")
        await stop(first)
    position = f"?epoch={end.message['epoch']}&seq={end.message['seq']}"
    second = start("answers", "--port", port)
    async with dial(second.backend, TOKENS.issue("ann"), f"/ws{position}") as tab:
        (ready,) = await read_until(tab, "connection_ready")
    assert second.backend == first.backend
    assert ready.message["payload"]["recovered"] is False
    assert ready.message["payload"]["lost"] is None
    assert ready.message["payload"]["epoch"] != end.message["epoch"]


# The close


async def test_connections_close_in_batches(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Whoever says something between two batches is still answered: it is not one sweep."""
    monkeypatch.setattr(netra_ws.serving.server, "CLOSE_BATCH", 5)
    monkeypatch.setattr(netra_ws.serving.server, "CLOSE_BATCH_PAUSE_S", PAUSE_S)
    registry = ManagerRegistry(Settings(drain_timeout_s=2 * HANG_S, close_timeout_s=0.1))
    backend = Backend(registry, TOKENS, echo=True)
    async with AsyncExitStack() as peers, AsyncExitStack() as serving:
        await serving.enter_async_context(backend)
        open_ = [
            await peers.enter_async_context(peer(backend.url, path="/ws/test")) for _ in range(15)
        ]
        await backend.drain(asyncio.Event())  # nothing goes on, and all of its time is left
        stopping = asyncio.create_task(serving.aclose())
        for left in (10, 5, 0):
            reading = [asyncio.create_task(one.receive()) for one in open_]
            await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            for one in open_:
                one.send(TEXT, b"hi")
            ends = dict(zip(open_, await asyncio.gather(*reading), strict=True))
            assert {*ends.values()} <= {Frame(TEXT, b"hi"), CLOSE_1012}
            open_ = [one for one, end in ends.items() if end != CLOSE_1012]
            assert len(open_) == left
            clock.forward(1.5 * PAUSE_S)
        await stopping


class RecordingLoop(asyncio.SelectorEventLoop):
    """The loop of the standard library; it remembers for how long somebody wanted to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[float] = []

    def call_later(self, delay: float, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
        self.delays.append(delay)
        return super().call_later(delay, *arguments, **options)


async def pauses_of_a_stop(connections: int) -> list[float]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, RecordingLoop)
    lines = "\r\n".join(["GET /ws/test HTTP/1.1", *UPGRADE, "", ""]).encode()
    peers = []
    async with Backend(ManagerRegistry(), TOKENS, echo=True) as backend:
        for _ in range(connections):
            reader, writer = await asyncio.open_connection(*address(backend.url))
            writer.write(lines)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            peers.append(writer)
        del loop.delays[:]
    for writer in peers:
        writer.close()
    low, high = 0.5 * CLOSE_BATCH_PAUSE_S, 1.5 * CLOSE_BATCH_PAUSE_S
    return [delay for delay in loop.delays if low <= delay <= high]


def test_the_pauses_between_batches_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """With small batches, so that a busy machine does not meet the end of the stop meanwhile."""
    monkeypatch.setattr(netra_ws.serving.server, "CLOSE_BATCH", 5)
    with asyncio.Runner(loop_factory=RecordingLoop) as runner:
        pauses = runner.run(pauses_of_a_stop(3 * 5 + 1))
    assert len(pauses) == len(set(pauses)) == 3


# Nobody holds it up


async def test_an_idle_process_is_gone_at_once(start: Start) -> None:
    """Whoever has connected and not asked yet is not waited for."""
    server = start("never", services="both", drain_timeout_s=2 * HANG_S, open_timeout_s=2 * HANG_S)
    with closing(connect(server.backend)), closing(connect(server.backend)) as half:
        half.sendall(b"GET /ws")
        assert (await request(f"{server.backend}/no")).status == 404  # it has read what came before
        assert await stop(server) == 0
    assert limits_met(server) == []


async def test_it_is_gone_though_20_of_80_clients_stall(start: Start) -> None:
    """They are one batch: however busy the machine, all of them are told before any is cut off."""
    limits = {"max_connections_per_user": 60, "retained_bytes": 2 * FLOOD_BYTES}
    late = {"write_timeout_s": 2 * HANG_S, "close_timeout_s": 2 * HANG_S}
    server = start("floods", drain_timeout_s=DRAIN_S, **limits, **late)
    with ExitStack() as stack:

        def let_in(user: str, count: int, **options: Any) -> list[socket.socket]:
            sockets = (
                upgraded(server.backend, TOKENS.issue(user), **options) for _ in range(count)
            )
            return [stack.enter_context(closing(one)) for one in sockets]

        idle = let_in("ben", 60)
        stalled = let_in("ann", 20, receive_buffer=LEAST_BUFFER)
        async with connected(server) as reader:
            await ask(reader)
            await read_until(reader, "agent_completed")
        assert await stop(server) == 0
        for peer in idle:
            assert (await asyncio.to_thread(read_to_the_end, peer)).endswith(CLOSE_1012.data)
        for peer in stalled:
            assert len(await asyncio.to_thread(read_to_the_end, peer)) < FLOOD_BYTES
    assert limits_met(server) == []


async def test_it_is_gone_though_peers_do_not_speak(start: Start) -> None:
    """A login half sent, sockets that say nothing, one that never answers a close; and a drain."""
    server = start("never", services="both", drain_timeout_s=DRAIN_S, open_timeout_s=2 * HANG_S)
    with (
        closing(connect(server.auth)) as login,
        closing(connect(server.auth)),
        closing(connect(server.backend)),
        closing(connect(server.backend)) as half,
        closing(upgraded(server.backend, TOKENS.issue("ann"))),
    ):
        login.sendall(b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        half.sendall(b"GET /ws")
        for url in (server.auth, server.backend):
            assert (await request(f"{url}/no")).status == 404  # it has read what came before
        async with connected(server) as tab:
            await ask(tab)
            await read_until(tab, "tool_executing")
            assert await stop(server) == 0
    assert limits_met(server)[0] == "drain_timeout_s"


@pytest.mark.parametrize("agent", ["swallows", "in_a_thread", "in_its_own_thread"])
async def test_it_is_gone_though_an_agent_is_not(start: Start, scratch: Path, agent: str) -> None:
    revision = ("--revision", "fixed") if agent == "in_a_thread" else ()
    server = start(agent, *revision, drain_timeout_s=DRAIN_S)
    async with connected(server) as tab:
        await ask(tab)
        run = await read_until(tab, "agent_thinking" if agent == "swallows" else "tool_executing")
        stopped = stop(server)
        run += await read_until(tab, "agent_completed")
        assert (await end_of(tab))[0] == 1012
        assert await stopped == 0
    assert run_fault(run) is None
    assert run[-1].message["payload"]["status"] == "cancelled"
    met = limits_met(server)
    assert met[0] == "drain_timeout_s"
    assert agent != "swallows" or met[1:] == ["stop_timeout_s"]
    assert await asyncio.to_thread(os.listdir, scratch) == []

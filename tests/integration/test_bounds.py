"""Every limit over the wire: its code, one log line, one counter, and another user who goes on.

Every test goes past one bound of `netra_ws.settings.Settings`. Those of time are as long as no
machine is slow, and the clock is set forward when what matters has happened. What stays out: the
draining (test_shutdown.py), tokens and logins (test_login_security.py).
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from clock import Clock
from fixtures import Recorder
from flood import EVENT_BYTES, FLOOD, Flood, narrow
from frames import CLOSE, CONTINUATION, PING, PONG, TEXT, Peer, frame, peer
from plain_client import UPGRADE
from polling import until
from scrape import scrape
from tabs import (
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
from websockets.exceptions import InvalidStatus

from netra_ws.agent import AgentRun, source_reader
from netra_ws.auth.tokens import Tokens
from netra_ws.errors import CloseCode
from netra_ws.event_log.memory import MemoryEventLog, MemoryUserLog
from netra_ws.events import decode
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

Bounded = Callable[..., AbstractAsyncContextManager[Backend]]

PING_MESSAGE = b'{"type":"ping"}'
LATE_S = 30.0
"""A limit of time: the clock reaches it only when it is set forward."""

KEEPALIVE = {"ping_interval_s": LATE_S, "ping_timeout_s": LATE_S}

SLOW = {"max_messages_per_s": 0.01, "max_pings_per_s": 0.01, "rate_window_s": 300.0}
"""Three at once, and then one more after 100 s."""


@pytest.fixture
def bounded(tokens: Tokens, open_tab: OpenTab, recorder: Recorder, fetch: Fetch) -> Bounded:
    """A backend with these settings, and Bob on it.

    Inside it `limits` are met, once each, or those that `settings` name if it is not given. On
    leaving they stand in one log line and one counter each, nothing else does, and Bob, whose
    connection is the one that he had before, is given a complete run.
    """

    @asynccontextmanager
    async def serve(settings: Settings, *limits: str, **parts: Any) -> AsyncIterator[Backend]:
        async with serving(tokens, settings, **parts) as backend, open_tab(backend, "bob") as bob:
            await ready(bob)
            yield backend
            for limit in limits:
                await recorder.first("limit exceeded", limit=limit)
            verified(await chat(bob))
            lines = [line for line in recorder.lines if line["event"] == "limit exceeded"]
            assert sorted(line["limit"] for line in lines) == sorted(limits)
            counted = (await scrape(fetch, backend)).by("limit_exceeded_total", "limit")
            assert counted == dict.fromkeys(limits, 1.0)

    return serve


@pytest.fixture
def bearer(tokens: Tokens) -> Callable[[], str]:
    """A function that returns the header of Ann's token."""
    return lambda: f"Authorization: Bearer {tokens.issue('ann')}"


def connections(backend: Backend) -> int:
    return backend._registry.statistics().connections


class Stubborn:
    """An agent that does not end when it is told to hang, and is the built-in one else."""

    def __init__(self, *, swallow: bool = False) -> None:
        self.let_go = asyncio.Event()
        self.swallow = swallow

    async def __call__(self, run: AgentRun, message: str) -> str:
        if message != "hang":
            return await source_reader(run, message)
        async with run.tool("hang", {}):
            while not self.let_go.is_set():
                try:
                    await self.let_go.wait()
                except asyncio.CancelledError:
                    if not self.swallow:
                        raise
        return "let go"


# Messages


@pytest.mark.guards("max_message_bytes")
async def test_a_message_too_large_closes_with_1009(bounded: Bounded, open_tab: OpenTab) -> None:
    settings = Settings(max_message_bytes=1000)
    async with bounded(settings, "max_message_bytes") as backend, open_tab(backend) as tab:
        await ready(tab)
        await tab.send("x" * 1000)
        assert json.loads(await receive(tab))["payload"]["code"] == "invalid_json"
        await tab.send("x" * 1001)
        assert (await close_of(tab))[0] == CloseCode.MESSAGE_TOO_BIG


@pytest.mark.guards("max_messages_per_s")
async def test_messages_too_many_close_with_4004(bounded: Bounded, open_tab: OpenTab) -> None:
    settings = Settings(**SLOW, close_timeout_s=0.1)
    async with bounded(settings, "max_messages_per_s") as backend, open_tab(backend) as tab:
        await ready(tab)
        for _ in range(10):
            await tab.send(PING_MESSAGE, text=True)
        code, reason, messages = await close_of(tab)
        assert (code, reason) == (CloseCode.TOO_FAST, "more than 0.01 per second")
        assert len(messages) == 3


@pytest.mark.guards("rate_window_s")
async def test_a_burst_of_rate_times_window_is_let_through(
    bounded: Bounded, open_tab: OpenTab
) -> None:
    settings = Settings(max_messages_per_s=0.5, rate_window_s=40.0)
    async with bounded(settings) as backend, open_tab(backend) as tab:
        await ready(tab)
        for _ in range(20):
            await tab.send(PING_MESSAGE, text=True)
        for _ in range(20):
            assert json.loads(await receive(tab))["type"] == "pong"


@pytest.mark.guards("max_pings_per_s")
async def test_ping_frames_too_many_close_with_4004(bounded: Bounded, open_tab: OpenTab) -> None:
    settings = Settings(**SLOW, close_timeout_s=0.1)
    async with bounded(settings, "max_pings_per_s") as backend, open_tab(backend) as tab:
        await ready(tab)
        for _ in range(3):
            await (await tab.ping())
        await tab.ping()
        assert (await close_of(tab))[0] == CloseCode.TOO_FAST


async def test_pong_frames_too_many_close_with_4004(bounded: Bounded, open_tab: OpenTab) -> None:
    """Those that nobody asked for: each takes as long to read as a ping."""
    settings = Settings(**SLOW, close_timeout_s=0.1)
    async with bounded(settings, "max_pings_per_s") as backend, open_tab(backend) as tab:
        await ready(tab)
        for _ in range(4):
            await tab.pong()
        assert (await close_of(tab))[0] == CloseCode.TOO_FAST


async def test_pongs_that_were_asked_for_are_not_too_many(
    bounded: Bounded, bearer: Callable[[], str], clock: Clock
) -> None:
    settings = Settings(max_pings_per_s=0.0001, rate_window_s=1.0, **KEEPALIVE)
    async with bounded(settings) as backend, peer(backend.url, bearer()) as ann:
        await ann.receive()
        for _ in range(3):
            clock.forward(LATE_S)
            ann.send(PONG, (await ann.receive_type(PING)).data)
            ann.send(TEXT, PING_MESSAGE)
            assert b'"pong"' in (await ann.receive_type(TEXT)).data


UNREAD_PINGS = 300_000
PING_BYTES = 125


async def test_unread_pings_leave_the_write_buffer_bounded(
    bounded: Bounded, bearer: Callable[[], str]
) -> None:
    """At most the answers to as many pings as may come at once, here 190 KB of them."""
    pings = frame(PING, b"x" * PING_BYTES) * 1000
    settings = Settings(close_timeout_s=LIMIT_S, max_pings_per_s=150)
    async with (
        bounded(settings, "max_pings_per_s") as backend,
        peer(backend.url, bearer(), takes_bytes=4096) as ann,
    ):
        await ann.receive()
        server, most = served(backend), 0
        for _ in range(UNREAD_PINGS // 1000):
            ann.writer.write(pings)
            async with asyncio.timeout(LIMIT_S):
                await ann.writer.drain()
            most = max(most, server.transport.get_write_buffer_size())
        assert 0 < most <= server.transport.max_size == 256 * 1024


# The log


@pytest.mark.parametrize(
    "limit",
    [{"retained_events": 8}, {"retained_bytes": 8 * EVENT_BYTES}],
    ids=lambda limit: next(iter(limit)),
)
@pytest.mark.guards("retained_events", "retained_bytes")
async def test_a_reader_behind_the_window_is_closed_with_4002(
    bounded: Bounded, open_tab: OpenTab, limit: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netra_ws.connection.OVERTAKE_S", LATE_S)  # however slow the agent is
    settings = Settings(write_high_water_bytes=16 * 1024, write_timeout_s=1.0, **limit)
    agent = Flood()
    async with (
        bounded(settings, *limit, agent=agent) as backend,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        await say(tab, "flood")
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
        code, reason, messages = await close_of(tab)
        assert (code, reason.partition(" ")[2]) == (
            CloseCode.FELL_BEHIND,
            "events left the retained window before they were read",
        )
        assert [decode(one).seq for one in messages] == list(range(1, len(messages) + 1))


@pytest.mark.parametrize(
    "limit",
    [{"retained_events": 5}, {"retained_bytes": 1000}, {"retained_bytes_total": 2000}],
    ids=lambda limit: next(iter(limit)),
)
@pytest.mark.guards("retained_bytes_total")
async def test_whoever_comes_back_too_late_is_told_the_loss(
    bounded: Bounded, open_tab: OpenTab, limit: dict[str, int]
) -> None:
    settings = Settings(**{"retained_bytes": 2000, **limit})
    async with bounded(settings, *limit) as backend:
        async with open_tab(backend) as tab:
            epoch = (await ready(tab))["epoch"]
            verified(await chat(tab))
            if "retained_events" in limit:
                verified(await chat(tab))
        head = backend._registry.statistics().events
        if "retained_bytes_total" in limit:  # Ann is silent now, and somebody else is not
            async with open_tab(backend, "cleo") as cleo:
                await ready(cleo)
                verified(await chat(cleo))
        async with open_tab(backend, query=f"?epoch={epoch}&seq=0") as tab:
            payload = await ready(tab)
            assert payload["recovered"] is False
            assert 0 < payload["lost"] <= head
            left = [decode(await receive(tab)).seq for _ in range(head - payload["lost"])]
            assert left == list(range(payload["lost"] + 1, head + 1))
            assert await answers(tab)


@pytest.mark.guards("idle_log_s")
async def test_the_log_of_an_idle_user_is_forgotten(
    bounded: Bounded, open_tab: OpenTab, recorder: Recorder, clock: Clock
) -> None:
    settings = Settings(idle_log_s=LATE_S)
    event_log = MemoryEventLog(settings)
    async with bounded(settings, "idle_log_s", event_log=event_log) as backend:
        async with open_tab(backend) as tab:
            epoch = (await ready(tab))["epoch"]
            verified(await chat(tab))
            assert event_log.kept_bytes > 0
        await until(lambda: connections(backend) == 1)
        backend._registry.expire(asyncio.get_running_loop().time())  # since when she is idle
        clock.forward(LATE_S)
        assert (await recorder.first("limit exceeded"))["user_id"] == "ann"
        assert event_log.kept_bytes == 0
        assert list(event_log._logs) == ["bob"]
        async with open_tab(backend, query=f"?epoch={epoch}&seq=5") as tab:
            payload = await ready(tab)
            assert (payload["recovered"], payload["lost"], payload["seq"]) == (False, None, 0)
            assert payload["epoch"] != epoch


async def test_a_connected_user_is_not_idle(bounded: Bounded, open_tab: OpenTab) -> None:
    async with bounded(Settings(idle_log_s=0.1)) as backend, open_tab(backend) as tab:
        await ready(tab)
        verified(await chat(tab))
        loop = asyncio.get_running_loop()
        for later_s in (10, 20, 30):
            backend._registry.expire(loop.time() + later_s)
        run = verified(await chat(tab))
        assert [event.seq for event in run.events] == [6, 7, 8, 9, 10]


@pytest.mark.guards("service_retained_events")
async def test_probes_leave_no_more_than_their_last_events(bounded: Bounded, fetch: Fetch) -> None:
    settings = Settings(service_retained_events=2)
    event_log = MemoryEventLog(settings)
    async with bounded(settings, event_log=event_log) as backend:
        for _ in range(5):
            assert (await fetch(backend.url, "/ws/health")).status == 200
        log = event_log.user("service:health")
        assert (log.head, len(log.events)) == (5, 2)


# Runs


@pytest.mark.guards("max_runs_per_user")
async def test_a_run_too_many_is_a_typed_error(bounded: Bounded, open_tab: OpenTab) -> None:
    settings = Settings(max_runs_per_user=1)
    async with (
        bounded(settings, "max_runs_per_user", agent=Stubborn()) as backend,
        open_tab(backend) as tab,
    ):
        await ready(tab)
        await say(tab, "hang")
        await say(tab, "hang")
        error = json.loads((await receive_type(tab, "error"))[-1])
        assert error["payload"]["code"] == "too_many_runs"


async def ended(tab: Any, messages: list[str], status: str) -> None:
    """Read to the end of a run, and see that nothing of it comes afterwards."""
    messages += await receive_type(tab, "agent_completed")
    verified(messages)
    assert json.loads(messages[-1])["payload"]["status"] == status
    assert await answers(tab)


@pytest.mark.parametrize("swallow", [False, True], ids=["gives in", "swallows cancellation"])
@pytest.mark.guards("run_timeout_s")
async def test_a_run_too_long_ends_as_failed(
    bounded: Bounded, open_tab: OpenTab, clock: Clock, swallow: bool
) -> None:
    settings = Settings(run_timeout_s=LATE_S, stop_timeout_s=0.1 if swallow else LATE_S)
    agent = Stubborn(swallow=swallow)
    limits = ["run_timeout_s", *(["stop_timeout_s"] if swallow else [])]
    async with bounded(settings, *limits, agent=agent) as backend, open_tab(backend) as tab:
        await ready(tab)
        await say(tab, "hang")
        messages = await receive_type(tab, "tool_executing")
        clock.forward(LATE_S)
        await ended(tab, messages, "failed")
        agent.let_go.set()
        await until(lambda: backend._registry.agents_at_work == 0)
        assert await answers(tab)


@pytest.mark.guards("stop_timeout_s")
async def test_an_agent_that_will_not_stop_is_ended(bounded: Bounded, open_tab: OpenTab) -> None:
    agent = Stubborn(swallow=True)
    async with (
        bounded(Settings(), "stop_timeout_s", agent=agent) as backend,
        open_tab(backend) as tab,
    ):
        await ready(tab)
        await say(tab, "hang")
        messages = await receive_type(tab, "tool_executing")
        run_id = json.loads(messages[0])["run_id"]
        await tab.send(json.dumps({"type": "stop_agent", "run_id": run_id}))
        await ended(tab, messages, "cancelled")
        agent.let_go.set()
        await until(lambda: backend._registry.agents_at_work == 0)
        assert await answers(tab)


# Connections


@pytest.mark.guards("max_connections_per_user")
async def test_a_connection_too_many_is_closed_with_4005(
    bounded: Bounded, open_tab: OpenTab
) -> None:
    """What happens where the others do not answer: test_room.py."""
    settings = Settings(max_connections_per_user=1)
    async with (
        bounded(settings, "max_connections_per_user") as backend,
        open_tab(backend) as first,
        open_tab(backend) as second,
    ):
        await ready(first)
        assert await close_of(second) == (CloseCode.NO_ROOM, "too many connections", [])
        assert await answers(first)


@pytest.mark.guards("max_connections")
async def test_without_room_the_answer_is_503(bounded: Bounded, open_tab: OpenTab) -> None:
    settings = Settings(max_connections=2, max_connections_per_user=2)
    async with bounded(settings, "max_connections") as backend:
        async with open_tab(backend, "cleo") as cleo:
            await ready(cleo)
            with pytest.raises(InvalidStatus) as refused:
                await open_tab(backend)
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["Retry-After"] == "5"
        await until(lambda: connections(backend) == 1)
        async with open_tab(backend) as tab:
            await ready(tab)


async def test_the_echo_has_the_same_room(bounded: Bounded, fetch: Fetch, tokens: Tokens) -> None:
    settings = Settings(max_connections=1, max_connections_per_user=1)
    async with bounded(settings, "max_connections", echo=True) as backend:
        assert (await fetch(backend.url, "/ws/test", *UPGRADE)).status == 503


@pytest.mark.guards("max_pending_connections")
async def test_whoever_waits_longest_makes_room(bounded: Bounded, fetch: Fetch) -> None:
    settings = Settings(max_pending_connections=3)
    async with bounded(settings, "max_pending_connections") as backend, AsyncExitStack() as peers:
        oldest, *others = [
            await peers.enter_async_context(peer(backend.url, upgrade=False)) for _ in range(3)
        ]
        assert (await fetch(backend.url, "/ws/health")).status == 200
        async with asyncio.timeout(LIMIT_S):
            answer = await oldest.reader.read()  # to the end: it is closed
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer
        for one in others:
            one.writer.write(b"GET /ws/health HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(LIMIT_S):
                assert (await one.reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_whoever_was_refused_and_stays_makes_room(bounded: Bounded, fetch: Fetch) -> None:
    settings = Settings(max_pending_connections=1, close_timeout_s=LIMIT_S)
    async with (
        bounded(settings, "max_pending_connections") as backend,
        peer(backend.url, upgrade=False) as refused,
    ):
        refused.writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            assert (await refused.reader.readline()).startswith(b"HTTP/1.1 401 ")
        assert (await fetch(backend.url, "/ws/health")).status == 200
        await until(lambda: len(backend._port) == 1)
        assert backend._pending == {}


async def test_whoever_is_let_in_is_pending_no_more(bounded: Bounded, open_tab: OpenTab) -> None:
    async with bounded(Settings(max_pending_connections=1)) as backend:
        async with open_tab(backend) as first, open_tab(backend) as second:
            for tab in (first, second):
                await ready(tab)
                assert await answers(tab)
        assert backend._pending == {}


async def test_whoever_is_let_in_pushes_nobody_out(bounded: Bounded, open_tab: OpenTab) -> None:
    async with (
        bounded(Settings(max_pending_connections=2)) as backend,
        peer(backend.url, upgrade=False) as waits,
        open_tab(backend) as first,
        open_tab(backend) as second,
    ):
        for tab in (first, second):
            await ready(tab)
        waits.writer.write(b"GET /ws/stats HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            assert (await waits.reader.readline()).startswith(b"HTTP/1.1 200 ")


APP = "https://app.example"
FOREIGN = {
    "a prefix": [f"{APP}.evil.example"],
    "another case": ["https://APP.example"],
    "a slash": [f"{APP}/"],
    "a port": [f"{APP}:443"],
    "http": ["http://app.example"],
    "null": ["null"],
    "nothing": [""],
    "two": [APP, APP],
    "two in one": [f"{APP}, {APP}"],
}


@pytest.mark.parametrize("origins", FOREIGN.values(), ids=list(FOREIGN))
@pytest.mark.guards("allowed_origins")
async def test_only_an_origin_on_the_list_may_connect(
    bounded: Bounded,
    open_tab: OpenTab,
    fetch: Fetch,
    bearer: Callable[[], str],
    origins: list[str],
) -> None:
    async with bounded(Settings(allowed_origins=(APP,)), "allowed_origins") as backend:
        async with open_tab(backend, origin=APP) as tab:
            await ready(tab)
        headers = [f"Origin: {origin}" for origin in origins]
        answer = await fetch(backend.url, "/ws", *UPGRADE, bearer(), *headers)
        assert answer.status == 403


# The transport


@pytest.mark.guards("write_high_water_bytes")
async def test_no_more_is_written_than_the_high_water(bounded: Bounded, open_tab: OpenTab) -> None:
    high_water = 128 * 1024
    settings = Settings(
        write_high_water_bytes=high_water,
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
    )
    agent = Flood()
    async with (
        bounded(settings, agent=agent) as backend,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        (served,) = (one for one in backend._sockets if one.remote_address == tab.local_address)
        await say(tab, "flood")
        async with asyncio.timeout(LIMIT_S):
            await agent.over.wait()
        unsent = served.transport.get_write_buffer_size()
        assert high_water < unsent <= 2 * high_water + EVENT_BYTES
        verified(await receive_type(tab, "agent_completed"))


@pytest.mark.guards("write_timeout_s")
async def test_a_stalled_write_closes_with_4001(bounded: Bounded, open_tab: OpenTab) -> None:
    settings = Settings(
        write_high_water_bytes=16 * 1024,
        write_timeout_s=0.1,
        close_timeout_s=LIMIT_S,
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
    )
    async with (
        bounded(settings, "write_timeout_s", agent=Flood()) as backend,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        await say(tab, "flood")
        (served,) = (one for one in backend._sockets if one.remote_address == tab.local_address)
        await until(lambda: served.ending)
        code, reason, _ = await close_of(tab)
        assert (code, reason) == (
            CloseCode.SLOW_CONSUMER,
            "a write stalled for more than 0.1 s",
        )


@pytest.mark.guards("open_timeout_s")
async def test_a_request_that_does_not_come_is_408(
    bounded: Bounded, fetch: Fetch, clock: Clock
) -> None:
    settings = Settings(open_timeout_s=LATE_S)
    async with (
        bounded(settings, "open_timeout_s") as backend,
        peer(backend.url, upgrade=False) as slow,
    ):
        slow.writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n")
        assert (await fetch(backend.url, "/ws/stats")).status == 200  # it has read what came before
        clock.forward(LATE_S)
        async with asyncio.timeout(LIMIT_S):
            answer = await slow.reader.read()  # to the end: it is closed
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_request_too_large_is_431(bounded: Bounded) -> None:
    """Guards `MAX_HEAD_BYTES` of `netra_ws.wire.socket`."""
    line = b"X-Much: " + b"x" * 8000 + b"\r\n"
    async with (
        bounded(Settings(close_timeout_s=0.1)) as backend,
        peer(backend.url, upgrade=False) as ann,
    ):
        ann.writer.write(b"GET /ws HTTP/1.1\r\n" + line * 100)
        async with asyncio.timeout(LIMIT_S):
            assert (await ann.reader.readline()).startswith(b"HTTP/1.1 431 ")
        await until(lambda: len(backend._port) == 1)


STAYING: dict[str, tuple[Callable[[Peer], object], str]] = {
    "after its close frame": (lambda ann: ann.send(CLOSE, b"\x03\xe8"), "close_timeout_s"),
    "after breaking RFC 6455": (lambda ann: ann.send(3), "close_timeout_s"),
    "after a message too large": (lambda ann: ann.send(TEXT, bytes(70_000)), "max_message_bytes"),
    "after half bytes of UTF-8": (lambda ann: ann.send(TEXT, b"\xff"), "close_timeout_s"),
    "after pings too many": (
        lambda ann: ann.writer.write(frame(PING) * 21),
        "max_pings_per_s",
    ),
}


@pytest.mark.parametrize(("act", "limit"), STAYING.values(), ids=list(STAYING))
@pytest.mark.guards("close_timeout_s")
async def test_whoever_stays_after_the_end_is_dropped(
    bounded: Bounded, bearer: Callable[[], str], act: Callable[[Peer], object], limit: str
) -> None:
    async with (
        bounded(Settings(close_timeout_s=0.1), limit) as backend,
        peer(backend.url, bearer()) as ann,
    ):
        await ann.receive()
        act(ann)
        await ann.receive_type(CLOSE)
        await until(lambda: connections(backend) == 1)
        await until(lambda: len(backend._port) == 1)


async def test_empty_fragments_are_bounded(bounded: Bounded, bearer: Callable[[], str]) -> None:
    async with (
        bounded(Settings(close_timeout_s=0.1), "max_message_bytes") as backend,
        peer(backend.url, bearer()) as ann,
    ):
        await ann.receive()
        ann.send(TEXT, fin=False)
        ann.writer.write(frame(CONTINUATION, fin=False) * 5000)
        closed = await ann.receive_type(CLOSE)
        assert closed.code == CloseCode.MESSAGE_TOO_BIG


# Keepalive


@pytest.mark.guards("ping_interval_s")
async def test_a_silent_client_is_pinged_at_an_interval(
    bounded: Bounded, bearer: Callable[[], str], clock: Clock
) -> None:
    async with bounded(Settings(**KEEPALIVE)) as backend, peer(backend.url, bearer()) as ann:
        await ann.receive()
        for _ in range(4):
            clock.forward(LATE_S)
            assert (await ann.receive_type(PING)).data == b""
            ann.send(PONG).send(TEXT, PING_MESSAGE)
            assert (await ann.receive()).opcode == TEXT  # and no second ping before it


@pytest.mark.guards("ping_timeout_s")
async def test_a_client_that_is_silent_is_closed_with_1011(
    bounded: Bounded, bearer: Callable[[], str], clock: Clock
) -> None:
    settings = Settings(ping_interval_s=LATE_S, ping_timeout_s=LATE_S, close_timeout_s=0.1)
    async with (
        bounded(settings, "ping_timeout_s") as backend,
        peer(backend.url, bearer()) as ann,
    ):
        await ann.receive()
        clock.forward(LATE_S)
        await ann.receive_type(PING)
        clock.forward(LATE_S)
        closed = await ann.receive_type(CLOSE)
        assert closed.code == CloseCode.INTERNAL_ERROR
        assert closed.data[2:] == b"no byte for 30 s after a ping"
        await until(lambda: connections(backend) == 1)


async def test_events_that_nobody_reads_are_no_sign_of_life(
    bounded: Bounded, bearer: Callable[[], str], clock: Clock
) -> None:
    """What the system takes for a client that has gone says nothing of the client."""
    settings = Settings(ping_interval_s=LATE_S, ping_timeout_s=LATE_S, close_timeout_s=0.1)

    async def goes_on(run: AgentRun, message: str) -> str:
        while not over.is_set():
            await run.thinking("x")
            await asyncio.sleep(0.01)
        return message

    over = asyncio.Event()
    async with (
        bounded(settings, "ping_timeout_s", agent=goes_on) as backend,
        peer(backend.url, bearer()) as ann,
    ):
        await ann.receive()
        ann.send(TEXT, b'{"type":"user_message","content":"hello"}')
        await ann.receive_type(TEXT)
        clock.forward(LATE_S)
        await ann.receive_type(PING)
        events = backend._registry.statistics().events
        await until(lambda: backend._registry.statistics().events > events)
        clock.forward(LATE_S)
        await until(lambda: connections(backend) == 1)
        over.set()


async def test_whoever_answers_no_ping_but_sends_lives(
    bounded: Bounded, bearer: Callable[[], str], clock: Clock
) -> None:
    settings = Settings(ping_interval_s=LATE_S, ping_timeout_s=LATE_S / 2)
    async with bounded(settings) as backend, peer(backend.url, bearer()) as ann:
        await ann.receive()
        for _ in range(4):  # each but the first comes only if the one before was thought answered
            clock.forward(LATE_S)
            await ann.receive_type(PING)
            await ann.send(TEXT, PING_MESSAGE).receive_type(TEXT)


async def test_whoever_talks_is_not_pinged(
    bounded: Bounded, bearer: Callable[[], str], clock: Clock
) -> None:
    interval_s = 4 * LATE_S
    settings = Settings(ping_interval_s=interval_s, ping_timeout_s=interval_s)
    async with bounded(settings) as backend, peer(backend.url, bearer()) as ann:
        await ann.receive()
        for _ in range(16):
            clock.forward(LATE_S)
            assert (await ann.send(TEXT, PING_MESSAGE).receive()).opcode == TEXT


def served(backend: Backend, user: str = "ann") -> Any:
    """Return the server's end of the one connection of a user, with little room in the system."""
    (one,) = (one for one in backend._sockets if one.claims and one.claims.user_id == user)
    system = one.transport.get_extra_info("socket")
    system.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return one


async def test_a_pong_behind_megabytes_is_waited_for(
    bounded: Bounded, bearer: Callable[[], str], fetch: Fetch, clock: Clock
) -> None:
    """The client reads nothing for a while, so the server neither: that is no dead client."""
    settings = Settings(
        ping_interval_s=LATE_S,
        ping_timeout_s=LATE_S,
        write_timeout_s=100 * LATE_S,
        max_messages_per_s=1e6,
        write_high_water_bytes=4096,
    )
    message = json.dumps({"type": "x" * 60_000}).encode()
    async with (
        bounded(settings) as backend,
        peer(backend.url, bearer(), takes_bytes=4096) as ann,
    ):
        await ann.receive()
        server = served(backend)
        ann.writer.write(frame(TEXT, message) * 300)
        await until(lambda: not server.transport.is_reading())
        for _ in range(4):
            clock.forward(LATE_S)
            assert (await fetch(backend.url, "/ws/stats")).status == 200  # a turn of its timers
        assert not server.transport.is_reading()
        answered = 0
        while answered < 300:
            received = await ann.receive()
            assert received.opcode in {PING, TEXT}, received
            if received.opcode == PING:
                ann.send(PONG)
            else:
                answered += 1


async def test_a_ping_behind_megabytes_is_waited_for(
    bounded: Bounded, bearer: Callable[[], str], clock: Clock
) -> None:
    """A client that reads slowly is sent the ping late: whatever it reads is a sign of life."""
    settings = Settings(
        ping_interval_s=3 * LATE_S,
        ping_timeout_s=3 * LATE_S,
        write_timeout_s=100 * LATE_S,
        write_high_water_bytes=6 * EVENT_BYTES,
        retained_events=2 * FLOOD,
        retained_bytes=4 * FLOOD * EVENT_BYTES,
    )
    async with (
        bounded(settings, agent=Flood(16)) as backend,
        peer(backend.url, bearer(), takes_bytes=4096) as ann,
    ):
        await ann.receive()
        served(backend)
        ann.send(TEXT, b'{"type":"user_message","content":"flood"}')
        last = b""
        while b"agent_completed" not in last:
            received = await ann.receive()
            assert received.opcode in {PING, TEXT}, received
            if received.opcode == PING:
                ann.send(PONG)
            else:
                last = received.data[:100]
                clock.forward(LATE_S)


# Health


class UnreadLog(MemoryUserLog):
    """A log that takes events and gives them to nobody."""

    __slots__ = ()

    def append(self, encode: Callable[[str, int], bytes]) -> bytes:
        return encode(self.epoch, self.head + 1)


class UnreadByProbes(MemoryEventLog):
    """An event log that works for people only."""

    def user(self, user_id: str) -> MemoryUserLog:
        return UnreadLog(self, 8, 1024) if ":" in user_id else super().user(user_id)


@pytest.mark.guards("canary_timeout_s")
async def test_a_canary_that_does_not_arrive_is_503(bounded: Bounded, fetch: Fetch) -> None:
    settings = Settings(canary_timeout_s=0.05)
    parts = {"event_log": UnreadByProbes(settings)}
    async with bounded(settings, "canary_timeout_s", **parts) as backend:
        answer = await fetch(backend.url, "/ws/health")
        assert answer.status == 503
        assert json.loads(answer.body)["components"]["event_log"] == "unhealthy"

"""The metrics over the wire: each moves as stated when the thing happens, and not otherwise."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

import pytest
from clock import Clock
from flood import EVENT_BYTES, FLOOD, Flood, narrow
from frames import CLOSE, TEXT, peer
from plain_client import UPGRADE
from scrape import Scrape, scrape
from tabs import (
    LIMIT_S,
    Fetch,
    OpenTab,
    answers,
    chat,
    close_of,
    ready,
    receive_type,
    say,
    serving,
    verified,
)

from netra_ws.agent import AgentRun, source_reader
from netra_ws.auth.tokens import Tokens
from netra_ws.serving.server import Backend
from netra_ws.settings import Settings

Scraping = Callable[[Backend], Awaitable[Scrape]]
Reaching = Callable[..., Awaitable[Scrape]]


@pytest.fixture
def scraped(fetch: Fetch) -> Scraping:
    """A function that returns the metrics of a backend."""
    return lambda backend: scrape(fetch, backend)


@pytest.fixture
def reaching(scraped: Scraping) -> Reaching:
    """A function that returns the metrics as soon as one of them has a value."""

    async def reach(backend: Backend, value: float, name: str, **labels: str) -> Scrape:
        async with asyncio.timeout(LIMIT_S):
            while (seen := await scraped(backend)).value(name, **labels) != value:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # as a Prometheus server would, but for the pace
        return seen

    return reach


async def work(run: AgentRun, message: str) -> str:
    """Fail, wait, or block the event loop, if told to."""
    if message == "fail":
        raise LookupError(message)
    if message == "wait":
        await asyncio.Event().wait()
    if message == "block":
        async with run.tool("block", {}) as tool:
            tool.results = 0
        time.sleep(0.6)  # noqa: ASYNC251 - that is the fault
    return await source_reader(run, message)


FAMILIES = {
    "connections": "gauge",
    "handshakes": "counter",
    "disconnects": "counter",
    "sessions_completed": "counter",
    "tool_failures": "counter",
    "runs": "counter",
    "events_appended": "counter",
    "events_delivered": "counter",
    "events_lost": "counter",
    "resumes": "counter",
    "limit_exceeded": "counter",
    "handler_failures": "counter",
    "delivery_latency_seconds": "histogram",
    "event_loop_lag_seconds": "histogram",
}


async def test_every_family_is_there_with_help_type_and_a_name_of_the_field(
    backend: Backend, open_tab: OpenTab, scraped: Scraping
) -> None:
    """https://prometheus.io/docs/practices/naming/"""
    async with open_tab(backend) as tab:
        await ready(tab)
        verified(await chat(tab))
    families = {family.name: family for family in (await scraped(backend)).families}
    assert {name: families[f"netra_ws_{name}"].type for name in FAMILIES} == FAMILIES
    for name, family in families.items():
        assert re.fullmatch(r"netra_ws(_[a-z]+)+", name)
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert name.endswith("_seconds")
        if family.type == "counter":
            counts = [sample.name for sample in family.samples]
            assert all(one in {f"{name}_total", f"{name}_created"} for one in counts)


async def test_a_session_moves_what_it_is_counted_by(
    backend: Backend, open_tab: OpenTab, scraped: Scraping, reaching: Reaching
) -> None:
    assert (await scraped(backend)).value("events_appended_total") == 0
    async with open_tab(backend) as tab, open_tab(backend) as other:
        await ready(tab)
        await ready(other)
        verified(await chat(tab))
        verified(await receive_type(other, "agent_completed"))
        seen = await scraped(backend)
        assert seen.value("connections") == 2
        assert seen.by("handshakes_total", "status") == {"101": 2}
        assert seen.by("runs_total", "status") == {"completed": 1, "failed": 0, "cancelled": 0}
        assert seen.value("events_appended_total") == 5
        assert seen.value("events_delivered_total") == 10
        assert 2 <= seen.value("delivery_latency_seconds_count") <= 10
        assert seen.value("sessions_completed_total") == 0
        assert seen.by("disconnects_total", "code") == {}
    seen = await reaching(backend, 0, "connections")
    assert seen.value("sessions_completed_total") == 2
    assert seen.by("disconnects_total", "code") == {"1000": 2}


async def test_probes_are_nobodys_events(backend: Backend, fetch: Fetch, scraped: Scraping) -> None:
    assert (await fetch(backend.url, "/ws/health")).status == 200
    seen = await scraped(backend)
    assert seen.value("events_appended_total") == 0
    assert seen.by("handshakes_total", "status") == {}


async def test_a_session_without_the_end_of_a_run_is_not_completed(
    tokens: Tokens, open_tab: OpenTab, reaching: Reaching
) -> None:
    async with serving(tokens, agent=work) as backend:
        async with open_tab(backend) as tab:
            await ready(tab)
            await say(tab, "wait")
            await receive_type(tab, "agent_started")
        seen = await reaching(backend, 0, "connections")
        assert seen.value("disconnects_total", code="1000") == 1
        assert seen.value("sessions_completed_total") == 0


async def test_what_an_idle_user_was_sent_stays_counted(
    tokens: Tokens, open_tab: OpenTab, reaching: Reaching, scraped: Scraping
) -> None:
    async with serving(tokens, Settings(idle_log_s=1.0)) as backend:
        async with open_tab(backend) as tab:
            await ready(tab)
            verified(await chat(tab))
        await reaching(backend, 0, "connections")
        registry = backend._registry
        now = asyncio.get_running_loop().time()
        registry.expire(now)
        registry.expire(now + 2)
        assert registry.statistics().users == 0
        assert (await scraped(backend)).value("events_appended_total") == 5


async def test_handshakes_are_counted_by_their_answer(
    tokens: Tokens, open_tab: OpenTab, fetch: Fetch, scraped: Scraping
) -> None:
    async with (
        serving(tokens, Settings(max_connections=1, max_connections_per_user=1)) as backend,
        open_tab(backend) as tab,
    ):
        await ready(tab)
        bearer = f"Authorization: Bearer {tokens.issue('ann')}"
        foreign = "Origin: https://elsewhere.example"
        for status, path, headers in (
            (401, "/ws", UPGRADE),
            (403, "/ws", (*UPGRADE, bearer, foreign)),
            (400, "/ws?seq=1", (*UPGRADE, bearer)),
            (503, "/ws", (*UPGRADE, bearer)),
            (404, "/elsewhere", (*UPGRADE, bearer)),  # not on the path of the socket
            (401, "/ws", ()),  # a plain request
        ):
            assert (await fetch(backend.url, path, *headers)).status == status
        counted = (await scraped(backend)).by("handshakes_total", "status")
    assert counted == {"101": 1, "401": 1, "403": 1, "400": 1, "503": 1}


async def test_runs_are_counted_by_their_end(
    tokens: Tokens, open_tab: OpenTab, scraped: Scraping, clock: Clock
) -> None:
    async with serving(tokens, agent=work) as backend, open_tab(backend) as tab:
        await ready(tab)
        for message in ("hello", "fail"):
            verified(await chat(tab, message))
        await say(tab, "wait")
        run = await receive_type(tab, "agent_started")
        clock.forward(Settings().run_timeout_s)
        verified(run + await receive_type(tab, "agent_completed"))
        await say(tab, "wait")
        started = (await receive_type(tab, "agent_started"))[0]
        run_id = re.findall(r'"run_id":"([^"]+)"', started)[0]
        await tab.send(f'{{"type":"stop_agent","run_id":"{run_id}"}}')
        await receive_type(tab, "agent_completed")
        counted = (await scraped(backend)).by("runs_total", "status")
    assert counted == {"completed": 1, "failed": 2, "cancelled": 1}


async def test_resumes_are_counted_by_their_outcome_and_losses_by_event(
    tokens: Tokens, open_tab: OpenTab, scraped: Scraping
) -> None:
    async with serving(tokens, Settings(retained_events=3)) as backend:
        async with open_tab(backend) as tab:
            epoch = (await ready(tab))["epoch"]
            verified(await chat(tab))
        for query, recovered in (
            ("", None),
            (f"?epoch={epoch}&seq=5", True),
            (f"?epoch={epoch}&seq=2", True),
            (f"?epoch={epoch}&seq=1", False),
            (f"?epoch={epoch}&seq=0", False),
            ("?epoch=another&seq=0", False),
            ("?seq=0", False),  # which names no position
        ):
            async with open_tab(backend, query=query) as tab:
                assert (await ready(tab))["recovered"] is recovered
        seen = await scraped(backend)
    assert seen.by("resumes_total", "outcome") == {"recovered": 2, "lost": 3}
    assert seen.value("events_lost_total") == 1 + 2


STALLING = Settings(
    write_high_water_bytes=16 * 1024,
    write_timeout_s=0.1,
    close_timeout_s=0.1,
    retained_events=2 * FLOOD,
    retained_bytes=4 * FLOOD * EVENT_BYTES,
)


async def test_a_4001_that_the_client_never_answers_is_no_1006(
    tokens: Tokens, open_tab: OpenTab, reaching: Reaching
) -> None:
    async with (
        serving(tokens, STALLING, agent=Flood()) as backend,
        open_tab(backend, **narrow(backend)) as tab,
    ):
        await ready(tab)
        await say(tab, "flood")
        seen = await reaching(backend, 1, "disconnects_total", code="4001")
        assert seen.by("disconnects_total", "code") == {"4001": 1}
        assert seen.value("connections") == 0
        tab.transport.abort()


async def test_disconnects_are_counted_by_the_code_that_came_first(
    tokens: Tokens, open_tab: OpenTab, reaching: Reaching
) -> None:
    settings = Settings(max_message_bytes=1000, max_messages_per_s=1, rate_window_s=1)
    bearer = f"Authorization: Bearer {tokens.issue('ann')}"
    async with serving(tokens, settings) as backend:
        async with open_tab(backend) as tab:
            await ready(tab)
            await tab.close(4321)
        async with open_tab(backend) as tab:
            await ready(tab)
            await tab.close(3000)
        async with open_tab(backend) as tab:
            await ready(tab)
            tab.transport.abort()
        async with open_tab(backend) as tab:
            await ready(tab)
            await tab.send("x" * 1001)
            await close_of(tab)
        async with peer(backend.url, bearer) as ann:
            await ann.receive()
            ann.send(TEXT, b"\xff")
            assert (await ann.receive_type(CLOSE)).code == 1007
        seen = await reaching(backend, 1, "disconnects_total", code="1007")
        expected = {"other": 2.0, **dict.fromkeys(("1006", "1009", "1007"), 1.0)}
        assert seen.by("disconnects_total", "code") == expected


def observed_above(seen: Scrape, name: str, bound: str) -> float:
    return seen.value(f"{name}_count") - seen.value(f"{name}_bucket", le=bound)


async def test_an_agent_that_blocks_the_loop_shows_as_lag_and_as_late_delivery(
    tokens: Tokens, open_tab: OpenTab, scraped: Scraping
) -> None:
    async with serving(tokens, agent=work) as backend, open_tab(backend) as tab:
        await ready(tab)
        before = await scraped(backend)
        verified(await chat(tab, "block"))
        assert await answers(tab)
        seen = await scraped(backend)
    assert observed_above(before, "delivery_latency_seconds", "0.5") == 0
    assert observed_above(seen, "delivery_latency_seconds", "0.5") >= 1
    # The loop looks every half second: of 0.6 s at least a tenth is seen.
    late = [observed_above(one, "event_loop_lag_seconds", "0.05") for one in (before, seen)]
    assert late[1] > late[0]

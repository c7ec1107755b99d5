"""What must not care for the wall clock of a server.

Each check is a context manager that sets something up; the clock is moved inside, and on leaving
it is looked at what came of it.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

import plain_client
import pytest
from limits import HANG_S
from plain_client import (
    dial,
    log_in,
    post_login,
    read_until,
    refusal,
    request,
    run_fault,
    say,
)
from processes import Server
from raw_peer import read_to_the_end, upgraded
from scripted_server import mint
from websockets.asyncio.client import ClientConnection

from netra_incident.measuring.relay import Relay
from netra_ws.client import Backoff, Client, login

HOUR_S = 3600.0
PING_INTERVAL_S = 0.3
PING_TIMEOUT_S = 3.0
CLOSE_TIMEOUT_S = 0.2
RUN_TIMEOUT_S = 3.0
MESSAGES = 10
EARLY_S = 0.2
"""What a limit may come too early, of the hour by which it would: more than what timers round."""

LIMITS: dict[str, Any] = {
    "ping_interval_s": PING_INTERVAL_S,
    "ping_timeout_s": 2 * HANG_S,
    "run_timeout_s": 2 * HANG_S,
    "max_messages_per_s": MESSAGES / 1000,
    "rate_window_s": 1000,
    "idle_log_s": HOUR_S / 2,
    "max_failed_logins": 2,
    "failed_login_window_s": HOUR_S / 2,
    "failed_login_s": 0,
    "token_leeway_s": 0,
    "close_timeout_s": CLOSE_TIMEOUT_S,
}

HASTY_LIMITS = LIMITS | {"ping_timeout_s": PING_TIMEOUT_S, "run_timeout_s": RUN_TIMEOUT_S}
"""Of a second server, where these two are met: on the first one nothing is ever too slow."""

GATED_EVENTS = 8
Check = Callable[[Server], AbstractAsyncContextManager[None]]


def connected(
    server: Server, token: str | None = None, path: str = "/ws"
) -> AbstractAsyncContextManager[ClientConnection]:
    """A tab that answers pings whether or not its messages are read."""
    options = {"ping_interval": None, "max_queue": None}
    return plain_client.connected(server, token or mint("ann"), path, **options)


async def ask(tab: ClientConnection, *steps: list[Any]) -> None:
    await say(tab, {"type": "user_message", "content": json.dumps(steps)})


@contextmanager
def gate() -> Iterator[tuple[Path, list[list[Any]]]]:
    """Give a file, and what a run is asked for that goes on when it is there."""
    with TemporaryDirectory() as folder:
        opens = Path(folder) / "open"
        yield opens, [["think", 1, 0], ["wait", str(opens)], ["think", 5, 0.001]]


async def seconds_fast(server: Server) -> float:
    """Return by how much the server's wall clock is ahead of ours."""
    answer = (await request(f"{server.backend}/ws/health")).json()
    return datetime.fromisoformat(answer["timestamp"]).timestamp() - time.time()


async def end_of(tab: ClientConnection) -> tuple[int | None, float]:
    """Return the code that a tab is closed with, and when."""
    code, _ = await plain_client.end_of(tab)
    return code, time.monotonic()


# Each of these sets something up before the clock is moved, and looks at it afterwards.


@asynccontextmanager
async def a_run_goes_on(server: Server) -> AsyncIterator[None]:
    """Its events stay in order, though the times that they carry do not."""
    with gate() as (opens, steps):
        async with connected(server) as tab:
            await ask(tab, *steps)
            run = await read_until(tab, "agent_thinking")
            yield
            opens.touch()
            run += await read_until(tab, "agent_completed")
    assert (run_fault(run), len(run)) == (None, GATED_EVENTS)
    assert run[-1].message["payload"]["status"] == "completed"
    first, last = (datetime.fromisoformat(run[i].message["timestamp"]) for i in (0, -1))
    assert abs((last - first).total_seconds()) > 0.9 * HOUR_S


@asynccontextmanager
async def a_run_meets_its_time_limit(server: Server) -> AsyncIterator[None]:
    async with connected(server, mint("ben")) as tab:
        await ask(tab, ["wait", "never"])
        await read_until(tab, "agent_started")
        yield
        (*_, end) = await read_until(tab, "agent_completed")
    assert end.message["payload"]["status"] == "failed"
    took_s = end.message["payload"]["duration_ms"] / 1000
    assert took_s >= RUN_TIMEOUT_S - EARLY_S


@asynccontextmanager
async def a_rate_is_not_filled_up(server: Server) -> AsyncIterator[None]:
    async with connected(server, mint("cat")) as tab:
        for _ in range(MESSAGES):
            await say(tab, {"type": "ping"})
        for _ in range(MESSAGES):
            await read_until(tab, "pong")
        yield
        await say(tab, {"type": "ping"})
        code, _ = await end_of(tab)
    assert code == 4004


@asynccontextmanager
async def a_rate_does_not_lock_out(server: Server) -> AsyncIterator[None]:
    async with connected(server, mint("dan")) as tab:
        await say(tab, {"type": "ping"})
        await read_until(tab, "pong")
        yield
        for _ in range(MESSAGES - 1):
            await say(tab, {"type": "ping"})
            await read_until(tab, "pong")


@asynccontextmanager
async def an_idle_connection_is_kept(server: Server) -> AsyncIterator[None]:
    async with connected(server, mint("eve")) as tab:
        began = time.monotonic()
        yield
        left_s = began + PING_INTERVAL_S + PING_TIMEOUT_S + 0.5 - time.monotonic()
        with pytest.raises(TimeoutError):  # that is: nobody has ended it by then
            await asyncio.wait_for(tab.wait_closed(), max(0.1, left_s))
        await say(tab, {"type": "ping"})
        await read_until(tab, "pong")


@asynccontextmanager
async def a_silent_connection_is_dropped_in_time(server: Server) -> AsyncIterator[None]:
    with closing(upgraded(server.backend, mint("fay"))) as peer:
        began = time.monotonic()
        reading = asyncio.create_task(asyncio.to_thread(read_to_the_end, peer))
        ended = asyncio.Future[float]()
        reading.add_done_callback(lambda _: ended.set_result(time.monotonic()))
        yield
        assert b"\x03\xf3no byte for" in await reading  # 1011
        silent_s = await ended - began
    assert silent_s >= PING_INTERVAL_S + PING_TIMEOUT_S - EARLY_S


@asynccontextmanager
async def a_log_is_kept(server: Server) -> AsyncIterator[None]:
    async with connected(server, mint("gil")) as tab:
        await ask(tab, ["think", 3, 0])
        run = await read_until(tab, "agent_completed")
    yield
    fresh = mint("gil", **now_at(server_ahead := await seconds_fast(server)))
    assert abs(server_ahead) > HOUR_S / 2
    path = f"/ws?epoch={run[0].message['epoch']}&seq={run[0].message['seq']}"
    async with dial(server.backend, fresh, path) as tab:
        (ready,) = await read_until(tab, "connection_ready")
        assert ready.message["payload"]["recovered"] is True
        rest = await read_until(tab, "agent_completed")
    assert [frame.text for frame in rest] == [frame.text for frame in run[1:]]


@asynccontextmanager
async def failed_logins_are_not_forgiven(server: Server) -> AsyncIterator[None]:
    (user,) = server.users
    wrong = {"email": f"{token_hex(4)}@demo.example", "password": "wrong"}
    before = [(await post_login(server.auth, wrong)).status for _ in range(3)]
    assert before == [401, 401, 429]
    yield
    assert (await post_login(server.auth, wrong)).status == 429
    good = {"email": user.email, "password": user.password}
    assert (await post_login(server.auth, good)).status == 200


@asynccontextmanager
async def a_token_near_its_end(server: Server) -> AsyncIterator[None]:
    """What it opened ends when it would have ended: not an hour before, and not an hour after."""
    life_s = float(math.ceil(time.time() + 3)) - time.time()
    async with connected(server, mint("hal", exp=time.time() + life_s)) as tab:
        due = time.monotonic() + life_s
        ending = asyncio.create_task(end_of(tab))
        yield
        code, ended = await ending
    assert code == 4003
    assert ended >= due - EARLY_S


@asynccontextmanager
async def a_renewal_goes_on_from_the_new_time(server: Server) -> AsyncIterator[None]:
    (user,) = server.users
    session = await log_in(server.auth, user)
    async with connected(server, session.token) as tab:
        yield
        renewed = await log_in(server.auth, user)
        await say(tab, {"type": "renew_token", "token": renewed.token})
        *_, answer = await read_until(tab, "token_renewed")
        assert 900 - HANG_S <= answer.message["payload"]["expires_in"] <= 900


@asynccontextmanager
async def a_client_that_is_cut_logs_in_anew_and_resumes(server: Server) -> AsyncIterator[None]:
    """It cannot know that its token is of another time: it is refused with 401, and logs in."""
    (user,) = server.users
    logins = 0

    async def authenticate() -> Any:
        nonlocal logins
        logins += 1
        return await login(server.auth, user.email, user.password)

    backoff = Backoff(first_s=0.05, max_s=0.2, attempts=10_000)
    other = (await log_in(server.auth, user)).token
    async with (
        Relay(server.backend) as relay,
        Client(relay.url, authenticate, backoff=backoff) as client,
        connected(server, other) as tab,
    ):
        with gate() as (opens, steps):
            asked = asyncio.create_task(client.chat(json.dumps(steps), HANG_S))
            await read_until(tab, "agent_thinking")
            yield
            relay.drop()
            opens.touch()
            run = await asked
            assert (len(run.events), client.reconnects, logins) == (GATED_EVENTS, 1, 2)


@asynccontextmanager
async def a_token_of_before_is_refused(server: Server) -> AsyncIterator[None]:
    """Forwards it has expired; backwards it is of the future. Either way: log in again."""
    token = mint("ida")
    async with connected(server, token):
        yield
        assert (await refusal(server.backend, token)).status == 401


CHECKS: tuple[Check, ...] = (
    a_log_is_kept,
    a_rate_is_not_filled_up,
    a_rate_does_not_lock_out,
    failed_logins_are_not_forgiven,
    a_token_near_its_end,
    a_renewal_goes_on_from_the_new_time,
    a_token_of_before_is_refused,
    a_run_goes_on,
    a_client_that_is_cut_logs_in_anew_and_resumes,
)
"""The last one is set up last, and looked at first."""

HASTY_CHECKS: tuple[Check, ...] = (
    an_idle_connection_is_kept,
    a_silent_connection_is_dropped_in_time,
    a_run_meets_its_time_limit,
)
"""Of a server with `HASTY_LIMITS`."""


def now_at(ahead_s: float) -> dict[str, float]:
    """Return the times of a token that is issued where the clock is so many seconds ahead."""
    now = time.time() + ahead_s
    return {"iat": now - 1, "nbf": now - 1, "exp": now + 600}

"""The wall clock of the server moves by an hour while it has connections, runs and tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clock_checks import (
    CHECKS,
    HASTY_CHECKS,
    HASTY_LIMITS,
    HOUR_S,
    LIMITS,
    connected,
    now_at,
    seconds_fast,
)
from limits import HANG_S
from measuring import Measured
from plain_client import raw_request, refusal
from processes import Server
from scripted_server import metric, mint, scripted_server
from wall_clock import WallClock, forget, library

needs_libfaketime = pytest.mark.skipif(
    library() is None,
    reason="the clock of one process is moved by libfaketime: apt-get install libfaketime",
)


@asynccontextmanager
async def served(folder: Path, **limits: Any) -> AsyncIterator[tuple[Server, WallClock]]:
    """Give a server, and the clock that it lives by."""
    found = library()
    assert found is not None
    await asyncio.to_thread(folder.mkdir)
    clock = WallClock(found, folder / "clock")
    start = partial(scripted_server, folder, service=None, env=clock.environment, **limits)
    server = await asyncio.to_thread(start)
    try:
        with server:
            yield server, clock
    finally:
        forget(server.process.pid)


async def refused(server: Server, token: str) -> bool:
    return (await refusal(server.backend, token)).status == 401


@needs_libfaketime
@pytest.mark.fault(
    "the wall clock moves by an hour and back",
    promise="connections, runs, keepalive and rates go on; a token of the other time is refused",
)
async def test_nothing_that_goes_on_looks_at_the_wall_clock(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    rounds = 10 if soak else 1

    async def move(hours: int) -> float:
        """Return by how much the event loop has been late, in s."""
        async with (
            served(tmp_path / f"{hours}", **LIMITS) as (server, clock),
            served(tmp_path / f"{hours}-hasty", **HASTY_LIMITS) as (hasty, its_clock),
        ):
            for _ in range(rounds):
                its_clock.move(0)
                async with AsyncExitStack() as checks:
                    for check in HASTY_CHECKS:
                        await checks.enter_async_context(check(hasty))
                    for check in CHECKS:
                        await checks.enter_async_context(check(server))
                    for one in (clock, its_clock):
                        one.move(hours * HOUR_S)
                    fast_s = await seconds_fast(server)
                    assert fast_s == pytest.approx(hours * HOUR_S, abs=HANG_S)
                token = mint("ann")
                assert await refused(server, token)
                clock.move(0)
                async with connected(server, token):
                    pass  # the time is right, and so is the token
            return await metric(server, "event_loop_lag_seconds_sum")

    assert max(await asyncio.gather(move(1), move(-1))) < HOUR_S / 2
    measured(
        "{moves} moves of a running server, {checks} checks of each: no connection, run or rate "
        "changed; what had been issued before was refused until the client had logged in anew",
        moves=2 * rounds,
        checks=len(CHECKS + HASTY_CHECKS),
    )


@needs_libfaketime
@pytest.mark.fault(
    "the wall clock moves while a token is revoked",
    promise="a token that was revoked stays revoked once the clock is put right",
)
async def test_what_was_revoked_stays_revoked(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    rounds = 20 if soak else 1

    async def move(hours: int) -> list[bool]:
        async with served(tmp_path / f"{hours}") as (server, clock):
            outcomes = []
            for _ in range(rounds):
                token = mint("ann")
                bearer = f"Authorization: Bearer {token}"
                revoked, _ = await raw_request(server.backend, "POST /ws/revoke HTTP/1.1", bearer)
                assert revoked == 200
                clock.move(hours * HOUR_S)
                async with connected(server, mint("ben", **now_at(hours * HOUR_S))):
                    pass
                clock.move(0)
                outcomes.append(await refused(server, token))
            return outcomes

    outcomes = [*await move(1), *await move(-1)]
    assert all(outcomes)
    measured("{count} of {n} still refused", count=sum(outcomes), n=len(outcomes))

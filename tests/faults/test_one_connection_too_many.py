"""One connection more than a user may have."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from frames import CLOSE, peer
from limits import HANG_S
from measuring import Measured, Spread
from neighbour import FREE, ROOM, client, talking
from offender import bearer
from plain_client import dial, read_until, run_fault, say
from processes import Server
from scripted_server import metric, mint, scripted_server
from websockets.asyncio.client import ClientConnection

from netra_ws.connections import MAKE_ROOM_S
from netra_ws.settings import Settings

LIMIT = "max_connections_per_user"
N = Settings().max_connections_per_user
LATE_S = 2.0
"""What may be added to a time at the full size."""

RUN = {"type": "user_message", "content": json.dumps([["think", 5, 0.001]])}


async def tab(stack: AsyncExitStack, server: Server, user: str) -> ClientConnection:
    opened = await stack.enter_async_context(dial(server.backend, mint(user)))
    await read_until(opened, "connection_ready")
    return opened


async def one_too_many(server: Server, user: str) -> int | None:
    """Return the close code of the first connection past the limit, and of nothing before it."""
    async with dial(server.backend, mint(user)) as extra:
        async with asyncio.timeout(HANG_S):
            await extra.wait_closed()
        return extra.close_code


@pytest.mark.fault(
    "N + 1 connections of one user",
    promise="who is silent makes room; else 4005 for the last one, which comes back",
)
async def test_the_last_one_comes_in_for_a_silent_one_or_is_closed_with_4005(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    people = 40 if soak else 2
    with scripted_server(tmp_path, ping_interval_s=3600, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour, AsyncExitStack() as stack:
            tabs = {
                user: [await tab(stack, server, user) for _ in range(N)]
                for user in (f"user-{number}" for number in range(people))
            }
            for one in tabs.values():
                await say(one[0], RUN)  # goes on while the others come
            extra = [one_too_many(server, user) for user in tabs for _ in range(5)]
            codes = await asyncio.gather(*extra)
            assert codes == [4005] * 5 * people
            runs = []
            for one in tabs.values():
                same = [await read_until(each, "agent_completed") for each in one]
                assert len({tuple(frame.text for frame in run) for run in same}) == 1
                runs += same
            assert {run_fault(run) for run in runs} == {None}
            refused = await metric(server, "limit_exceeded_total", limit=LIMIT)
            assert refused == len(codes)
        gone = []
        async with AsyncExitStack() as stack:
            for _ in range(N):
                one = await stack.enter_async_context(peer(server.backend, bearer("ann")))
                assert b"connection_ready" in (await one.receive()).data
                gone.append(one)  # and answers no ping from now on
            waited = []
            for one in gone[: 20 if soak else 4]:
                began = time.perf_counter()
                async with asyncio.timeout(HANG_S):
                    await stack.enter_async_context(client(server.backend, "ann"))
                waited.append(time.perf_counter() - began)
                assert (await one.receive_type(CLOSE)).code == 4005  # it was silent for longest
        waited_s = Spread.of(waited)
        assert not soak or waited_s.high < MAKE_ROOM_S + LATE_S
    measured(
        "{refused} connections past the limit of {limit} closed with 4005, the {open} others had "
        "{runs} of {runs} runs; where {limit} were silent, {came} of {came} new ones came in after "
        "{waited_s:.1f s}; the neighbour had {neighbour} of {appended} events",
        refused=len(codes),
        limit=N,
        open=N * people,
        runs=len(runs),
        came=waited_s.n,
        waited_s=waited_s,
        neighbour=neighbour.balance.delivered,
        appended=neighbour.balance.appended,
    )

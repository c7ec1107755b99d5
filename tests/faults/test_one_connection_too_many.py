"""One connection more than a user may have."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from limits import HANG_S
from measuring import Measured
from neighbour import FREE, ROOM, client, talking
from plain_client import dial, read_until, run_fault, say
from processes import Server
from scripted_server import metric, mint, scripted_server
from websockets.asyncio.client import ClientConnection

from netra_ws.errors import ConnectionEnded
from netra_ws.settings import Settings

LIMIT = "max_connections_per_user"
N = Settings().max_connections_per_user
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
    promise="4501 for the last one, and no client comes back after it; the others go on",
)
async def test_the_last_one_is_closed_with_4501_and_the_others_go_on(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    people = 40 if soak else 2
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour, AsyncExitStack() as stack:
            tabs = {
                user: [await tab(stack, server, user) for _ in range(N)]
                for user in (f"user-{number}" for number in range(people))
            }
            for one in tabs.values():
                await say(one[0], RUN)  # goes on while the others come
            codes = [await one_too_many(server, user) for user in tabs for _ in range(5)]
            assert codes == [4501] * 5 * people
            runs = []
            for one in tabs.values():
                same = [await read_until(each, "agent_completed") for each in one]
                assert len({tuple(frame.text for frame in run) for run in same}) == 1
                runs += same
            assert {run_fault(run) for run in runs} == {None}
            for user, one in tabs.items():
                await one.pop().close()
                one.append(await tab(stack, server, user))  # there is room again
                assert await one_too_many(server, user) == 4501
            refused = await metric(server, "limit_exceeded_total", limit=LIMIT)
            assert refused == len(codes) + people
        async with AsyncExitStack() as stack:
            for _ in range(N):
                await stack.enter_async_context(client(server.backend, "ann"))
            with pytest.raises(ConnectionEnded) as ended:
                async with asyncio.timeout(HANG_S), client(server.backend, "ann"):
                    pass
            assert ended.value.code == 4501
            tried = await metric(server, "limit_exceeded_total", limit=LIMIT)
            assert tried == len(codes) + people + 1  # it tried once
    measured(
        "{refused} connections past the limit of {limit} closed with 4501, and tried once each; "
        "the {open} others had {runs} of {runs} runs; the neighbour had {neighbour} of {appended} "
        "events",
        refused=len(codes) + people + 1,
        limit=N,
        open=N * people,
        runs=len(runs),
        neighbour=neighbour.balance.delivered,
        appended=neighbour.balance.appended,
    )

"""Handshakes, messages and events that come a byte at a time."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from accounting import appended
from measuring import Measured, Spread
from neighbour import FREE, ROOM, client, settled, talking
from scripted_server import scripted_server
from watchers import watching
from wire import Slicer

THOUGHTS = 3
EVENTS = THOUGHTS + 2
SCRIPT = f'[["think", {THOUGHTS}, 0]]'


@pytest.mark.fault(
    "sliced and slow bytes",
    promise="handshake, messages and events mean the same when each byte comes by itself",
)
async def test_what_comes_byte_by_byte_means_the_same(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    users, runs, pause_s = (20, 5, 0.001) if soak else (3, 1, 0.0)
    names = [f"user-{number}" for number in range(users)]

    async def talk(url: str, user: str) -> list[float]:
        took_s = []
        async with client(url, user) as asking:
            for _ in range(runs):
                began = time.perf_counter()
                await asking.chat(SCRIPT)  # order, count and digest are verified
                took_s.append(time.perf_counter() - began)
            assert asking.reconnects == 0
        return took_s

    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with (
            talking(server.backend) as neighbour,
            Slicer(server.backend, pause_s) as slicer,
            watching(*(client(slicer.url, user) for user in names)) as reading,
        ):
            took = await asyncio.gather(*(talk(slicer.url, user) for user in names))
            balances = [
                await settled(server.backend, user, watcher)
                for user, watcher in zip(names, reading, strict=True)
            ]
            await neighbour.once_more()
        everything = await appended(server.backend)
        assert "Traceback" not in server.stderr()
    delivered = sum(one.delivered for one in balances)
    assert delivered == EVENTS * runs * users
    assert everything == delivered + neighbour.balance.delivered
    assert [watcher.client.reconnects for watcher in reading] == [0] * users
    measured(
        "{users} users, two clients each behind a relay of one byte at a time, {bytes:,} bytes in "
        "all: {delivered:,} of {appended:,} events delivered, a run of {size} in {run_s:.2f s}; "
        "the neighbour had {neighbour:,} of {neighbour_appended:,}",
        users=users,
        bytes=slicer.bytes,
        delivered=delivered,
        appended=sum(one.appended for one in balances),
        size=EVENTS,
        run_s=Spread.of(seconds for times in took for seconds in times),
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

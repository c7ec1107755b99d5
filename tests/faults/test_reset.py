"""The network resets connections while runs go on."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from accounting import appended
from measuring import Measured, Spread
from neighbour import FREE, ROOM, client, settled, talking
from scripted_server import metric, scripted_server
from watchers import Watcher, watching
from wire import Wire


def reset(wire: Wire) -> None:
    """End all connections of the wire with RST, to both sides, instead of FIN."""
    for writer in wire.writers:
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.drop()


async def all_more(watchers: list[Watcher], count: int, since: float = 0.0) -> list[float]:
    """Return when each has so many more events, and after how many seconds `since` then."""

    async def more(watcher: Watcher, seen: int) -> float:
        await watcher.until(lambda events: len(events) >= count, seen)
        return time.perf_counter() - since

    seen = [len(watcher.events) for watcher in watchers]
    return await asyncio.gather(*map(more, watchers, seen))


@pytest.mark.fault(
    "connection reset in mid-run",
    promise="the client comes back and is given every event once and in order",
)
async def test_after_a_reset_every_event_comes_once_and_in_order(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    users = [f"user-{number}" for number in range(20 if soak else 2)]
    resets = 25 if soak else 5
    came_back: list[float] = []
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with (
            talking(server.backend) as neighbour,
            Wire(server.backend) as wire,
            watching(*(client(wire.url, user) for user in users)) as cut,
        ):
            async with AsyncExitStack() as stack:
                for user in users:
                    await stack.enter_async_context(talking(server.backend, user, thoughts=50))
                for _ in range(resets):
                    more = random.randint(1, 60)
                    await all_more(cut, more)
                    began = time.perf_counter()
                    reset(wire)
                    came_back += await all_more(cut, 1, began)
            balances = [
                await settled(server.backend, user, watcher)
                for user, watcher in zip(users, cut, strict=True)
            ]
        everything = await appended(server.backend)
        resumed = await metric(server, "resumes_total", outcome="recovered")
        lost = await metric(server, "resumes_total", outcome="lost")
        assert "Traceback" not in server.stderr()
    assert [watcher.client.reconnects for watcher in cut] == [resets] * len(users)
    assert lost == 0
    assert resumed >= resets * len(users)
    events = sum(one.delivered for one in balances)
    told = [item for watcher in cut for item in watcher.items if not isinstance(item, str)]
    assert told == []
    assert events + neighbour.balance.delivered == everything
    measured(
        "{reconnects:,} resets among {users} users in mid-run: {delivered:,} of {appended:,} "
        "events delivered, each once and in order; next event after {back_ms:.0f ms}; "
        "the neighbour had {neighbour:,} of {neighbour_appended:,}",
        users=len(users),
        reconnects=resets * len(users),
        delivered=events,
        appended=sum(one.appended for one in balances),
        back_ms=Spread.of(seconds * 1000 for seconds in came_back),
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

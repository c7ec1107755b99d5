"""Nobody answers for longer than people have patience, and then the line flaps."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from measuring import Measured
from neighbour import FREE, ROOM, client, identity
from polling import until
from scripted_server import scripted_server
from watchers import watching
from wire import Cut, Wire

from netra_ws.client import Backoff, Client
from netra_ws.events import AgentCompleted

RUN = json.dumps([["think", 3, 0]])
FOREVER = 100_000
ABSENT, FLAPPING = Cut(down=0), Cut(down=1)
"""Each connection ends before the server's first message, or just after it."""


async def broken(wire: Wire, cut: Cut, attempts: int, seconds: float) -> int:
    """Let every connection end like this for so many of them, and so long; returns how many."""
    before, began = wire.connections, time.perf_counter()
    wire.cuts = [cut] * FOREVER
    wire.drop()
    await until(
        lambda: wire.connections - before >= attempts and time.perf_counter() - began >= seconds
    )
    wire.cuts.clear()
    return wire.connections - before


@pytest.mark.fault(
    "a server that is away for minutes, and a line that flaps",
    promise="the client waits as long as it takes, and is given every event once and in order",
)
async def test_a_client_outwaits_any_outage_and_a_line_that_flaps(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """In the short form it makes more attempts than a client once had, and waits less for each."""
    backoff = Backoff() if soak else Backoff(first_s=0.001, max_s=0.01)
    attempts, seconds = (2, 120.0) if soak else (30, 0.0)
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with (
            Wire(server.backend) as wire,
            client(server.backend, "ann") as asking,
            watching(Client(wire.url, identity("ann"), backoff=backoff)) as [watcher],
        ):
            expected = 0
            tries = []
            for cut in (ABSENT, FLAPPING):
                mark = len(watcher.events)
                tries.append(await broken(wire, cut, attempts, seconds))
                expected += len((await asking.chat(RUN)).events)
                await watcher.count(AgentCompleted, 1, mark)
            watcher.check_order()
            assert len(watcher.events) == expected
            assert watcher.told == []
    measured(
        "{away} connections ended before a first word in {seconds:.0f} s, {flaps} just after it in "
        "as many: the client came back by itself both times and had {events} of {expected} events",
        away=tries[0],
        flaps=tries[1],
        seconds=seconds,
        events=len(watcher.events),
        expected=expected,
    )

"""Readers that stop reading while megabytes wait for them."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from accounting import balance
from frames import Frame, Peer, peer
from measuring import Measured
from memory import MIB, Memory
from neighbour import FREE, client, talking
from offender import NO_CODE, Offence, bearer
from polling import let_go
from scripted_server import metric, scripted_server
from watchers import watching

from netra_ws.client import Client
from netra_ws.settings import Settings

LIMITS = Settings()
EVENT_CHARACTERS = 16_000
EVENTS_A_RUN = 50
"""Less than half of what a log retains, so that whoever reads is never behind."""

LEAST_BUFFER = 4096
SLOW_S = 0.025
"""Seconds that a slow reader takes for an event: for all of them longer than runs wait for it."""

CODES = (4001, 4002)
SPARE_MIB = 6.0
"""What the process may take in the meantime for other reasons."""

HELD_EACH_MIB = 0.375
"""What a connection may hold: `write_high_water_bytes`, one event, and what the system copies."""


async def slow(ann: Peer, offence: Offence) -> None:
    """Read on, but slowly, until the connection has ended."""

    class Slow(Peer):
        async def receive(self) -> Frame:
            await asyncio.sleep(SLOW_S)
            return await super().receive()

    await offence.to_the_end(Slow(ann.reader, ann.writer))


@pytest.mark.fault(
    "stalled and slow readers with a large backlog",
    promise="memory stays bounded; 4001 or 4002, and on return how many events are lost",
)
async def test_a_stalled_reader_costs_what_is_bounded_and_is_told_its_loss(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    users, tabs, runs = (10, 10, 40) if soak else (2, 2, 14)
    limits: dict[str, float] = {
        "retained_events": 100_000
    }  # so that it is bytes which bound the logs
    if not soak:
        limits |= {"write_timeout_s": 1.0, "close_timeout_s": 0.3}
    script = json.dumps([["flood", EVENTS_A_RUN, EVENT_CHARACTERS]])
    names = [f"user-{number}" for number in range(users)]
    offences = {name: [Offence(name) for _ in range(tabs)] for name in names}

    async def ask(asking: Client) -> None:
        for _ in range(runs):
            await asking.chat(script)

    with scripted_server(tmp_path, **limits, **FREE) as server:
        async with talking(server.backend, pause_s=0.02) as neighbour, AsyncExitStack() as stack:
            reading = await stack.enter_async_context(
                watching(*(client(server.backend, name) for name in names))
            )
            asking = [
                await stack.enter_async_context(client(server.backend, name)) for name in names
            ]
            peers: list[tuple[Peer, Offence]] = []
            for name, ends in offences.items():
                for end in ends:
                    opening = peer(server.backend, bearer(name), takes_bytes=LEAST_BUFFER)
                    ann = await stack.enter_async_context(opening)
                    await end.until(ann, "connection_ready")
                    peers.append((ann, end))
            memory, began = Memory(server.process.pid), time.perf_counter()
            async with asyncio.TaskGroup() as tasks:
                for ann, end in peers[1::2]:
                    tasks.create_task(slow(ann, end))
                ended = tasks.create_task(let_go(server, len(peers), began))
                for one in asking:
                    tasks.create_task(ask(one))
            grown_mib = memory.grown_mib
            assert len(ended.result()) == len(peers)
            for ann, end in peers[::2]:
                await end.to_the_end(ann)
            for _, end in peers:
                await end.resume(server.backend)
            whole = {name: watcher.messages for name, watcher in zip(names, reading, strict=True)}
        codes = {code: await metric(server, "disconnects_total", code=str(code)) for code in CODES}
        assert "Traceback" not in server.stderr()
    size = runs * (EVENTS_A_RUN + 2)
    balances = []
    for name, ends in offences.items():
        assert [json.loads(one)["seq"] for one in whole[name]] == list(range(1, size + 1))
        balances += [balance(whole[name], end.items) for end in ends]
    for one in balances:
        assert one.appended == one.delivered + one.lost == size
        assert one.lost > 0
        assert one.again == 0
    # On a busy machine a tab that reads can be late as well; it came back and has everything.
    others = sum(watcher.client.reconnects for watcher in reading)
    assert len(peers) <= sum(codes.values()) <= len(peers) + others
    assert {end.ended.code for _, end in peers} <= {*CODES, NO_CODE}
    bound_mib = users * LIMITS.retained_bytes / MIB + len(peers) * HELD_EACH_MIB + SPARE_MIB
    assert grown_mib < bound_mib
    megabytes = users * runs * EVENTS_A_RUN * EVENT_CHARACTERS / MIB
    measured(
        "{readers} readers, half of them stalled, of {users} users with {backlog_mib:.0f} MiB of "
        "events: the server grew by {grown_mib:.0f} MiB (bound: {bound_mib:.0f}); {stalled:g} "
        "closed with 4001, {behind:g} with 4002; of {appended:,} events owed {delivered:,} "
        "delivered, {lost:,} told as lost, 0 unsaid; the users' other tabs had {whole:,} of "
        "{whole:,}, the neighbour {neighbour:,} of {neighbour_appended:,}",
        readers=len(peers),
        users=users,
        backlog_mib=megabytes,
        grown_mib=grown_mib,
        bound_mib=bound_mib,
        stalled=codes[4001],
        behind=codes[4002],
        appended=sum(one.appended for one in balances),
        delivered=sum(one.delivered for one in balances),
        lost=sum(one.lost for one in balances),
        whole=sum(map(len, whole.values())),
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

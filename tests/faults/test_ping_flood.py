"""Pings, and pongs to no ping, as fast as they go, of clients that read nothing meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from accounting import balance, whole_log
from frames import PING, PONG, TEXT, frame, peer
from limits import HANG_S
from measuring import Measured, Spread
from memory import Memory
from neighbour import FREE, ROOM, talking
from offender import RUN, Offence, bearer, user_message
from polling import counted
from scripted_server import scripted_server

PINGS_AT_ONCE = 1000
PING_BYTES = 125
LEAST_BUFFER = 4096
MIB_A_FLOOD = 1.0
"""What the server may hold for each flood, four times what it reads of a socket at once."""

HELD_UP_MS = 2000.0
"""What a run of the neighbour may take at most in a soak; up to 472 ms were measured (4 soaks), and
50 ms of that are the pauses of its agent."""

SPARE_MIB = 8.0
"""What the process may take in the meantime for other reasons."""


async def flood(backend: str, user: str, opcode: int, pings: int) -> Offence:
    """Send so many pings or pongs in the middle of a run, then read, and come back for the rest."""
    offence = Offence(user)
    many = frame(opcode, b"x" * PING_BYTES) * PINGS_AT_ONCE
    async with peer(backend, bearer(user), takes_bytes=LEAST_BUFFER) as ann:
        await offence.until(ann, "connection_ready")
        ann.send(TEXT, user_message(*RUN))
        await offence.until(ann, "agent_thinking")
        async with asyncio.timeout(HANG_S):
            for _ in range(pings // PINGS_AT_ONCE):
                ann.writer.write(many)
                await ann.writer.drain()
        await offence.to_the_end(ann)
    await offence.resume(backend)
    return offence


@pytest.mark.parametrize(
    ("opcode", "what"),
    [
        pytest.param(
            PING,
            "pings",
            marks=pytest.mark.fault(
                "ping flood",
                promise="4004 for whoever pings without end; no memory taken, nothing lost, nobody "
                "held up",
            ),
        ),
        pytest.param(
            PONG,
            "pongs",
            marks=pytest.mark.fault(
                "flood of pongs",
                promise="the same for pongs that nobody asked for",
            ),
        ),
    ],
)
async def test_a_flood_ends_with_4004_and_takes_no_memory(
    opcode: int, what: str, tmp_path: Path, measured: Measured, soak: bool
) -> None:
    floods, pings = (20, 300_000) if soak else (2, 50_000)
    users = [f"user-{number}" for number in range(floods)]
    with scripted_server(tmp_path, close_timeout_s=HANG_S, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour:
            await neighbour.once_more()
            alone, memory = len(neighbour.took_ms), Memory(server.process.pid)
            offences = await asyncio.gather(
                *(flood(server.backend, user, opcode, pings) for user in users)
            )
            grown_mib = memory.grown_mib
            await neighbour.once_more()
        events = 0
        for offence in offences:
            log = await whole_log(server.backend, offence.user, offence.place["epoch"])
            whole = balance(log, offence.items)
            assert whole.exact, whole
            assert len(log) == RUN[0][1] + 2
            events += whole.delivered
        await counted(server, floods, "limit_exceeded_total", limit="max_pings_per_s")
        assert "Traceback" not in server.stderr()
    assert Counter(offence.ended.code for offence in offences) == {4004: floods}
    assert grown_mib < SPARE_MIB + floods * MIB_A_FLOOD
    during = Spread.of(neighbour.took_ms[alone:])
    assert not soak or during.high < HELD_UP_MS
    measured(
        "{floods} floods of {pings:,} {what} at once: {floods} of {floods} closed with 4004, the "
        "server grew by {grown_mib:.1f} MiB; {events:,} of {events:,} events of their runs "
        "delivered after the reconnect; the neighbour's run took {during_ms:.0f ms}, "
        "{alone_ms:.0f ms} before",
        floods=floods,
        pings=pings,
        what=what,
        grown_mib=grown_mib,
        events=events,
        during_ms=during,
        alone_ms=Spread.of(neighbour.took_ms[:alone]),
    )

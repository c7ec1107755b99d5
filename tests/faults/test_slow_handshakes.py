"""Two hundred handshakes at once that come byte by byte and never end (slowloris)."""

from __future__ import annotations

import asyncio
import time
from asyncio import IncompleteReadError
from collections import Counter
from pathlib import Path

import pytest
from frames import Peer, peer
from limits import HANG_S
from measuring import Measured, Spread
from memory import Memory
from neighbour import FREE, ROOM, talking
from plain_client import dial, read_until
from polling import counted
from scripted_server import mint, scripted_server

from netra_ws.settings import Settings

SLOW = 200
LATE_S = 2.0
"""What may be added to a time at the full size."""

BYTES_BEFORE_THE_END = 50
MIB_EACH = 0.1
SPARE_MIB = 8.0
REQUEST = b"GET /ws HTTP/1.1\r\nHost: faults.example\r\nX-Slow: "


async def slow(backend: str, open_timeout_s: float) -> tuple[int, float]:
    """Send a request a byte at a time; return the status of the answer and when it came, in s."""

    async def send(ann: Peer) -> None:
        ann.writer.write(REQUEST)
        while not ann.writer.is_closing():
            await asyncio.sleep(open_timeout_s / BYTES_BEFORE_THE_END)
            ann.writer.write(b"x")

    began = time.perf_counter()
    async with peer(backend, upgrade=False) as ann:
        sending = asyncio.create_task(send(ann))
        try:
            async with asyncio.timeout(HANG_S):
                answer = await ann.reader.readuntil(b"\r\n")
        except (TimeoutError, IncompleteReadError, ConnectionError):
            answer = b"HTTP/1.1 0 no answer"
        finally:
            sending.cancel()
        return int(answer.split()[1]), time.perf_counter() - began


async def handshake_ms(backend: str, user: str) -> float:
    """Return how long a whole handshake took, `connection_ready` included."""
    began = time.perf_counter()
    async with dial(backend, mint(user)) as tab:
        await read_until(tab, "connection_ready")
        return (time.perf_counter() - began) * 1000


async def handshakes_ms(backend: str, until: asyncio.Future[object]) -> list[float]:
    """Let one user after the other connect until that is done."""
    took = []
    while not until.done():
        took.append(await handshake_ms(backend, f"user-{len(took)}"))
        await asyncio.sleep(0.02)
    return took


@pytest.mark.fault(
    "200 slow handshakes at once",
    promise="each is answered 408 in time; whoever else connects meanwhile does not notice",
)
async def test_slow_handshakes_are_408_and_hold_up_nobody(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    limit_s = Settings().open_timeout_s if soak else 2.0
    limits = {"open_timeout_s": limit_s, **ROOM, **FREE}
    with scripted_server(tmp_path, **limits) as server:
        async with talking(server.backend) as neighbour:
            memory = Memory(server.process.pid)
            alone = [await handshake_ms(server.backend, "alone") for _ in range(10)]
            answers = asyncio.gather(*(slow(server.backend, limit_s) for _ in range(SLOW)))
            during = await handshakes_ms(server.backend, answers)
            statuses = Counter(status for status, _ in await answers)
            seconds = Spread.of(seconds for _, seconds in await answers)
            grown_mib = memory.grown_mib
            await neighbour.once_more()
        await counted(server, SLOW, "limit_exceeded_total", limit="open_timeout_s")
        assert "Traceback" not in server.stderr()
    during_ms, alone_ms = Spread.of(during), Spread.of(alone)
    assert statuses == {408: SLOW}
    assert during_ms.n > 1  # all of them while the slow ones were on their way
    if soak:
        assert limit_s <= seconds.low <= seconds.high <= limit_s + LATE_S
        assert during_ms.high < LATE_S * 1000
    assert grown_mib < SPARE_MIB + MIB_EACH * SLOW
    measured(
        "{answered} of {n} answered 408, each after {seconds:.2f s} where the limit is "
        "{limit_s:g} s; the server grew by {grown_mib:.1f} MiB; meanwhile a handshake took "
        "{during_ms:.1f ms}, {alone_ms:.1f ms} before; the neighbour had {neighbour:,} of "
        "{neighbour_appended:,} events",
        n=SLOW,
        answered=statuses[408],
        seconds=seconds,
        limit_s=limit_s,
        grown_mib=grown_mib,
        during_ms=during_ms,
        alone_ms=alone_ms,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

"""Messages of thousands of empty fragments, one after the other, all limits kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from accounting import balance, whole_log
from frames import CONTINUATION, TEXT, frame, peer
from measuring import Measured, Spread
from neighbour import ROOM, talking
from offender import RUN, Offence, bearer, user_message
from scripted_server import scripted_server

from netra_ws.wire.frames import MAX_FRAGMENTS

FRAGMENTS = MAX_FRAGMENTS - 2
HELD_UP_MS = 200.0
"""What a pong of a neighbour may take at most in a soak. 11 ms was the most of 300 pongs (1 soak),
0.5 s where a read of the client was one turn, and 6 s where it was read to its end."""

PING_EVERY_S = 0.02


@asynccontextmanager
async def pinging(backend: str, user: str) -> AsyncIterator[list[float]]:
    """Give what each pong of a user took in ms who asks for one after the other until the end."""
    took_ms: list[float] = []

    async def ping() -> None:
        while True:
            began = time.perf_counter()
            assert b'"pong"' in (await cleo.send(TEXT, b'{"type":"ping"}').receive()).data
            took_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PING_EVERY_S)

    async with peer(backend, bearer(user)) as cleo:
        await cleo.receive()
        task = asyncio.create_task(ping())
        try:
            yield took_ms
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.mark.fault(
    "many fragments, all limits kept",
    promise="each message is answered, and whoever sends them is read once a turn of the loop",
)
async def test_a_burst_of_fragmented_messages_is_answered_and_holds_nobody_up(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    messages = 190 if soak else 40
    fragmented = b"".join(
        (
            frame(TEXT, b"{", fin=False),
            frame(CONTINUATION, fin=False) * (FRAGMENTS - 2),
            frame(CONTINUATION, b"}"),
        )
    )
    offence = Offence("ann")
    with scripted_server(tmp_path, max_messages_per_s=100, **ROOM) as server:
        async with (
            talking(server.backend) as neighbour,
            pinging(server.backend, "cleo") as pongs_ms,
            peer(server.backend, bearer("ann"), takes_bytes=1 << 20) as ann,
        ):
            await neighbour.once_more()
            alone = len(neighbour.took_ms)
            await offence.until(ann, "connection_ready")
            ann.send(TEXT, user_message(*RUN))
            await offence.until(ann, "agent_thinking")
            pongs_ms.clear()
            ann.writer.write(fragmented * messages)
            answers = 0
            while answers < messages or offence.open_runs():
                text = (await ann.receive_type(TEXT)).data.decode()
                if json.loads(text)["type"] == "error":
                    answers += 1
                else:
                    offence.items.append(text)
            waits = Spread.of(pongs_ms)
            await neighbour.once_more()
        log = await whole_log(server.backend, "ann", offence.place["epoch"])
        assert "Traceback" not in server.stderr()
    whole = balance(log, offence.items)
    assert whole.exact, whole
    assert len(log) == RUN[0][1] + 2
    assert not soak or waits.high < HELD_UP_MS
    measured(
        "{messages} messages of {fragments:,} fragments at once: {answers} of {messages} answered, "
        "{events} of {events} events of the run meanwhile delivered; a neighbour's pong took "
        "{pong_ms:.0f ms}, another's run {during_ms:.0f ms}, {alone_ms:.0f ms} before",
        messages=messages,
        fragments=FRAGMENTS,
        answers=answers,
        events=len(log),
        pong_ms=waits,
        during_ms=Spread.of(neighbour.took_ms[alone:]),
        alone_ms=Spread.of(neighbour.took_ms[:alone]),
    )

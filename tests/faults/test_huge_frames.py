"""Frames that announce more than anybody may send, and messages that never end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from frames import CONTINUATION, TEXT, Peer, head
from measuring import Measured
from memory import Memory
from neighbour import FREE, ROOM, talking
from offender import offences
from polling import counted
from scripted_server import scripted_server

from netra_ws.settings import Settings

LIMIT = "max_message_bytes"
LARGEST = Settings().max_message_bytes
SPARE_MIB = 16.0
"""What the process may take in the meantime for other reasons, the logs of all runs included."""


def announce(size: int) -> Callable[[Peer], object]:
    """Return an act that announces a frame of `size` bytes and sends a thousand of them."""
    return lambda ann: ann.writer.write(head(TEXT, size) + bytes(1000))


def without_end(size: int) -> Callable[[Peer], object]:
    """Return an act that sends fragments of `size` bytes until nobody takes them any more."""

    async def fragments(ann: Peer) -> None:
        ann.send(TEXT, bytes(size), fin=False)
        try:
            while not ann.writer.is_closing():
                ann.send(CONTINUATION, bytes(size), fin=False)
                await ann.writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            pass  # that is the end

    return fragments


ACTS: dict[str, Callable[[Peer], object]] = {
    "one-byte-too-many": announce(LARGEST + 1),
    "two-gibibytes": announce(1 << 31),
    "the-most-of-RFC-6455": announce((1 << 63) - 1),
    "with-the-highest-bit": announce((1 << 64) - 1),
    "fragments-of-nothing": without_end(0),
    "fragments-of-a-byte": without_end(1),
    "fragments-of-1000-bytes": without_end(1000),
    "the-most-in-each-fragment": without_end(LARGEST),
}


@pytest.mark.fault(
    "huge frames, endless fragments",
    promise="1009 for what is larger than a message may be, before it has come; nothing is lost",
)
async def test_what_is_too_large_is_closed_with_1009_before_it_is_there(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    rounds = 10 if soak else 1
    acts = {f"{name}-{number}": act for number in range(rounds) for name, act in ACTS.items()}
    with scripted_server(tmp_path, close_timeout_s=0.3, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour:
            memory = Memory(server.process.pid)
            codes, events = await offences(server.backend, acts)
            grown_mib = memory.grown_mib
            await neighbour.once_more()
        await counted(server, len(acts), "limit_exceeded_total", limit=LIMIT)
        assert "Traceback" not in server.stderr()
    assert Counter(codes.values()) == {1009: len(acts)}
    assert grown_mib < SPARE_MIB
    measured(
        "{closed} of {n} closed with 1009, up to 2^64-1 bytes announced; the server grew by "
        "{grown_mib:.1f} MiB; {events:,} of {events:,} events of their runs delivered after the "
        "reconnect; the neighbour had {neighbour:,} of {neighbour_appended:,}",
        n=len(acts),
        closed=len(codes),
        grown_mib=grown_mib,
        events=events,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

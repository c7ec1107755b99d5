"""Compressed frames, which this server never agrees to, and bombs in them."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from frames import CONTINUATION, PING, TEXT, Peer, frame
from measuring import Measured
from memory import MIB, Memory
from neighbour import FREE, ROOM, talking
from offender import offences
from plain_client import dial, read_until
from scripted_server import mint, scripted_server
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

BOMB_BYTES = 32 * MIB
SPARE_MIB = 16.0
"""What the process may take in the meantime for other reasons, the logs of all runs included."""

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def bomb(size: int) -> bytes:
    """Return what a message of `size` zeros is as RFC 7692 section 7.2.1 compresses it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    compressed = deflate.compress(bytes(size)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return compressed.removesuffix(b"\0\0\xff\xff")


def compressed(opcode: int, data: bytes, *, fin: bool = True) -> Callable[[Peer], object]:
    """Return an act that sends `data` in one frame with RSV1, the bit for compressed messages."""
    return lambda ann: ann.writer.write(frame(opcode, data, fin=fin, rsv1=True))


ACTS: dict[str, Callable[[Peer], object]] = {
    "one-word": compressed(TEXT, bomb(5)),
    "a-bomb": compressed(TEXT, bomb(BOMB_BYTES)),
    "a-bomb-in-fragments": compressed(TEXT, bomb(BOMB_BYTES), fin=False),
    "a-continuation": compressed(CONTINUATION, bomb(5)),
    "a-ping": compressed(PING, bomb(5)),
}


@pytest.mark.fault(
    "compressed frames, deflate bombs",
    promise="compression is never agreed to; a compressed frame is 1002 and stays packed",
)
async def test_a_bomb_is_closed_with_1002_and_stays_packed(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    rounds = 10 if soak else 1
    acts = {f"{name}-{number}": act for number in range(rounds) for name, act in ACTS.items()}
    offering = {f"{name}-offered": act for name, act in acts.items()}
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour:
            memory = Memory(server.process.pid)
            codes, events = await offences(server.backend, acts)
            more, more_events = await offences(server.backend, offering, OFFER)
            grown_mib = memory.grown_mib
            async with dial(
                server.backend, mint("cleo"), extensions=[ClientPerMessageDeflateFactory()]
            ) as cleo:
                await read_until(cleo, "connection_ready")
                assert cleo.response is not None
                agreed = cleo.response.headers.get_all("Sec-WebSocket-Extensions")
            await neighbour.once_more()
        assert "Traceback" not in server.stderr()
    codes |= more
    assert agreed == []
    assert Counter(codes.values()) == {1002: len(acts) + len(offering)}
    assert grown_mib < SPARE_MIB
    measured(
        "{n} of {n} closed with 1002, half of them after an offer of permessage-deflate that was "
        "not taken up; with bombs of {bomb_mib} MiB the server grew by {grown_mib:.1f} MiB; "
        "{events:,} of {events:,} events of their runs delivered after the reconnect; "
        "the neighbour had {neighbour:,} of {neighbour_appended:,}",
        n=len(codes),
        bomb_mib=BOMB_BYTES // MIB,
        grown_mib=grown_mib,
        events=events + more_events,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

"""A token is taken out of use while what it opened is being sent its events."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from frames import TEXT, frame
from measuring import Measured, Spread
from neighbour import FREE, ROOM, talking
from offender import user_message
from processes import Server
from raw_peer import connect, kernel_has, read_to_the_end, revocation, upgraded
from scripted_server import mint, scripted_server

RUN = ["think", 300, 0]
"""An event each turn of the loop: one more of them is written in that of the revocation."""

CLOSE_4502 = (4502).to_bytes(2) + b"the token was revoked"
ANSWERED_S = 1.0


def revoke_in_a_run(server: Server) -> tuple[bool, float, int]:
    """Revoke a token; return whether 4502 came, when the answer did, and how much followed.

    What followed are bytes that the system had not taken when the answer was there.
    """
    token = mint("ann")
    with (
        closing(upgraded(server.backend, token)) as reader,
        closing(connect(server.backend)) as revoker,
    ):
        reader.sendall(frame(TEXT, user_message(RUN)))
        while b"agent_thinking" not in reader.recv(65536):
            pass
        began = time.perf_counter()
        revoker.sendall(revocation(token))
        assert read_to_the_end(revoker).startswith(b"HTTP/1.1 200 ")
        took_s = time.perf_counter() - began
        taken = kernel_has(reader)
        received = read_to_the_end(reader)
    return received.endswith(CLOSE_4502), took_s, len(received) - taken


@pytest.mark.fault(
    "a token is revoked while its connection is sent events",
    promise="nothing of ours follows the answer, which comes within 1 s; 4502 for who reads",
)
async def test_nothing_follows_the_answer_to_a_revocation(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    times = 500 if soak else 20
    limits = {"close_timeout_s": 0.2, "max_runs_per_user": 10_000, **ROOM, **FREE}
    with scripted_server(tmp_path, **limits) as server:
        async with talking(server.backend) as neighbour:
            act = partial(revoke_in_a_run, server)
            outcomes = [await asyncio.to_thread(act) for _ in range(times)]
            await neighbour.once_more()
        assert "Traceback" not in server.stderr()
    followed = sum(size > 0 for _, _, size in outcomes)
    closed = sum(is_closed for is_closed, _, _ in outcomes)
    answered_ms = Spread.of(took_s * 1000 for _, took_s, _ in outcomes)
    assert (followed, closed) == (0, times)
    assert not soak or answered_ms.high < ANSWERED_S * 1000
    measured(
        "{times} tokens revoked in the midst of a run: bytes after the answer in {followed}; "
        "{closed} of {times} closed with 4502; the answer came after {answered_ms:.1f ms}; "
        "the neighbour had {neighbour:,} of {neighbour_appended:,} events",
        times=times,
        followed=followed,
        closed=closed,
        answered_ms=answered_ms,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

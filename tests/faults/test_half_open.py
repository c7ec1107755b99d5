"""Clients that are gone without a word: no FIN, no RST, no answer."""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from accounting import balance, whole_log
from measuring import Measured, Spread
from neighbour import FREE, ROOM, talking
from offender import Offence
from plain_client import dial, read_until, say
from polling import counted, let_go
from scripted_server import mint, scripted_server
from vanishing import coast

LATE_S = 2.0
"""What may be added to a time at the full size."""

GOING_ON_S = 0.5
"""How much longer a run takes."""

PAUSE_S = 0.02


@pytest.mark.fault(
    "half-open TCP: peers vanish without a word",
    promise="let go within ping_interval_s + ping_timeout_s; runs go on and are resumed",
)
async def test_who_is_gone_is_let_go_in_time_and_resumes_everything(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """Every other one is in the middle of a run, which goes on."""
    people, ping_s = (200, 3.0) if soak else (10, 1.0)
    close_s = 0.2
    within_s = 2 * ping_s + close_s
    thoughts = int((within_s + GOING_ON_S) / PAUSE_S)
    limits = {"ping_interval_s": ping_s, "ping_timeout_s": ping_s, "close_timeout_s": close_s}
    script = json.dumps([["think", thoughts, PAUSE_S]])
    users = [Offence(f"user-{number}") for number in range(people)]
    with scripted_server(tmp_path, **limits, **ROOM, **FREE) as server:
        async with talking(server.backend) as neighbour:
            async with AsyncExitStack() as stack:
                place = await stack.enter_async_context(coast(server.backend))
                options = {"ping_interval": None, "close_timeout": 0.01, **place.options}
                for number, user in enumerate(users):
                    opening = dial(place.url, mint(user.user), **options)
                    tab = await stack.enter_async_context(opening)
                    read = await read_until(tab, "connection_ready")
                    if number % 2:
                        await say(tab, {"type": "user_message", "content": script})
                        read += await read_until(tab, "agent_thinking")
                    user.items += [message.text for message in read]
                began = time.perf_counter()
                place.sink()
                gone_s = Spread.of(await let_go(server, people, began))
                for user in users:
                    await user.resume(server.backend)
            await neighbour.once_more()
        await counted(server, people, "limit_exceeded_total", limit="ping_timeout_s")
        events = 0
        for user in users:
            log = await whole_log(server.backend, user.user, user.place["epoch"])
            whole = balance(log, user.items)
            assert whole.exact, whole
            events += whole.delivered
        assert "Traceback" not in server.stderr()
    assert events == (people // 2) * (thoughts + 2)
    assert gone_s.n == people
    assert not soak or ping_s <= gone_s.high <= within_s + LATE_S
    measured(
        "{people} peers, {how}: {people} of {people} let go after {gone_s:.2f s} where the limits "
        "make {within_s:g} s; {events:,} of {events:,} events of their runs delivered after the "
        "reconnect; the neighbour had {neighbour:,} of {neighbour_appended:,}",
        people=people,
        how=place.how,
        gone_s=gone_s,
        within_s=within_s,
        events=events,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

"""Two tabs of one user: both are given every event once and in order, though one of them is cut."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from limits import HANG_S
from measuring import Measured
from neighbour import FREE, ROOM, client, settled, talking
from scripted_server import metric, scripted_server
from watchers import watching
from wire import Cut, Wire

MESSAGES = 44
"""Two runs: how many of them come before a cut, at most."""


@pytest.mark.fault(
    "two tabs, one of them cut",
    promise="each tab is given all events of its user, once and in order",
)
async def test_a_tab_that_is_cut_again_and_again_reads_what_the_other_one_does(
    tmp_path: Path, measured: Measured, soak: bool
) -> None:
    """The cuts come after any event, the first one of a connection included."""
    cuts = 300 if soak else 10
    plan = [Cut(down=random.randint(2, MESSAGES)) for _ in range(cuts)]
    with scripted_server(tmp_path, **ROOM, **FREE) as server:
        async with (
            Wire(server.backend, plan) as wire,
            watching(client(server.backend, "ann"), client(wire.url, "ann")) as tabs,
            talking(server.backend) as neighbour,
        ):
            async with (
                talking(server.backend, "ann", thoughts=20) as asking,
                asyncio.timeout(HANG_S),
            ):
                while wire.connections <= cuts:
                    await asking.once_more()
            whole, cut = [await settled(server.backend, "ann", tab) for tab in tabs]
            resumed = await metric(server, "resumes_total", outcome="recovered")
            lost = await metric(server, "resumes_total", outcome="lost")
    messages, again = [tab.messages for tab in tabs]
    assert messages == again
    assert [tab.items for tab in tabs] == [messages, messages]  # and nobody was told of a loss
    assert [tab.client.reconnects for tab in tabs] == [0, cuts]
    assert (resumed >= cuts, lost) == (True, 0)
    measured(
        "one tab cut {cuts} times: both had {whole} and {cut} of {appended} events, byte by byte "
        "the same; the neighbour had {neighbour} of {neighbour_appended}",
        cuts=cuts,
        whole=whole.delivered,
        cut=cut.delivered,
        appended=whole.appended,
        neighbour=neighbour.balance.delivered,
        neighbour_appended=neighbour.balance.appended,
    )

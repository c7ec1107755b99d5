"""The client that stays connected, with servers that are processes of their own."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from functools import partial

import pytest
from limits import HANG_S
from plain_client import request
from processes import Serve

from netra_incident.history.deployment import Deployment
from netra_ws.client import Backoff, Client, login
from netra_ws.errors import ConnectionEnded, EventsLost

SECRET = {"NETRA_WS_SECRET": "a secret of the tests, long enough for HS256"}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
async def test_a_client_finds_the_next_process_and_says_what_the_last_one_took_with_it(
    serve: Serve, signum: signal.Signals
) -> None:
    auth = serve("--service", "auth", env=SECRET)
    backend = serve("--service", "backend", env=SECRET)
    [user, *_] = auth.users
    log_in = partial(login, auth.auth, user.email, user.password)
    backoff = Backoff(first_s=0.05, max_s=0.2, attempts=10_000)
    async with Client(backend.backend, log_in, backoff=backoff) as ann:
        before = await ann.chat("hello", HANG_S)
        await asyncio.to_thread(backend.stop, signum)
        port = backend.backend.rpartition(":")[2]
        await asyncio.to_thread(serve, "--service", "backend", "--port", port, env=SECRET)
        async with asyncio.timeout(HANG_S), aclosing(ann.messages()) as messages:
            with pytest.raises(EventsLost) as lost:
                await anext(messages)
        assert lost.value.lost is None
        after = await ann.chat("hello", HANG_S)
        assert ann.reconnects == 1
    assert [event.seq for event in after.events] == [event.seq for event in before.events]
    assert after.events[0].epoch != before.events[0].epoch


async def test_a_client_gives_the_buggy_revision_up_after_so_many_attempts(
    buggy: Deployment,
) -> None:
    async def handshakes() -> float:
        text = (await request(f"{buggy.backend}/metrics")).body.decode()
        name = "netra_ws_handshakes_total"
        counts = [line for line in text.splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in counts)

    user = buggy.users[0]
    log_in = partial(login, buggy.auth, user.email, user.password)
    backoff = Backoff(first_s=0.001, max_s=0.01, attempts=4)
    before = await handshakes()
    with pytest.raises(ConnectionEnded, match="close code 1011, reason ''"):
        async with asyncio.timeout(HANG_S), Client(buggy.backend, log_in, backoff=backoff):
            pass
    assert await handshakes() == before + 4

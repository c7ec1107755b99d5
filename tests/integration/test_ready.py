"""``/ws/ready``: whether somebody should be sent here."""

from __future__ import annotations

import asyncio
import json
import threading

from clock import Clock
from tabs import Fetch, serving

from netra_ws.auth.tokens import Tokens
from netra_ws.metrics import Metrics
from netra_ws.serving.readiness import SHARED_S, STARVED_S
from netra_ws.threads import Threads


async def test_it_is_not_ready_while_somebody_starves_for_a_thread(
    tokens: Tokens, fetch: Fetch, clock: Clock
) -> None:
    gate = threading.Event()
    loop = asyncio.get_running_loop()
    async with serving(tokens) as backend:
        pool = Threads("hashing", Metrics(), in_all=1, clock=loop.time)
        backend.readiness.threads = [pool]
        held = [pool.submit(gate.wait), pool.submit(gate.wait)]
        answers = []
        for wait_s in (0.0, STARVED_S + 1, SHARED_S):
            clock.forward(wait_s)
            answers.append(await fetch(backend.url, "/ws/ready"))
            if wait_s > STARVED_S:
                gate.set()
                for one in held:
                    await asyncio.wrap_future(one)
        pool.shutdown()
    assert [answer.status for answer in answers] == [200, 503, 200]
    states = [json.loads(answer.body)["components"]["hashing"] for answer in answers]
    assert states == ["ready", "starved", "ready"]


async def test_its_answer_is_shared_for_a_second(
    tokens: Tokens, fetch: Fetch, clock: Clock
) -> None:
    async with serving(tokens) as backend:
        first, second = [await fetch(backend.url, "/ws/ready") for _ in range(2)]
        clock.forward(SHARED_S)
        third = await fetch(backend.url, "/ws/ready")
    assert first.body == second.body != third.body
    body = json.loads(first.body)
    assert (body["status"], body["components"]) == ("ready", {"event_log": "ready"})
    assert body["commit"] == "c0ffee"

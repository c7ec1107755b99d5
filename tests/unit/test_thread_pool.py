"""The pool of threads: whose turn it is, who counts, and how long somebody has waited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

import pytest
from limits import HANG_S

from netra_ws.metrics import Metrics
from netra_ws.threads import Threads, working_for


class Pool:
    """Two threads a user, three in all, on a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.open = threading.Event()
        self.order: list[str] = []
        self.metrics = Metrics()
        clock = lambda: self.now  # noqa: E731
        self.threads = Threads("test", self.metrics, in_all=3, of_user=2, clock=clock)

    def call(self, user: str, work: Callable[[], Any]) -> Future[Any]:
        def submit() -> Future[Any]:
            working_for.set(user)
            return self.threads.submit(work)

        return copy_context().run(submit)

    def hold(self, user: str, gate: threading.Event | None = None) -> Future[Any]:
        """Have a call that waits; what has begun is in `order`."""
        begun = threading.Event()
        waits = (gate or self.open).wait

        def work() -> None:
            self.order.append(user)
            begun.set()
            waits(HANG_S)

        future = self.call(user, work)
        if future.running():
            assert begun.wait(HANG_S)
        return future


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.open.set()
    made.threads.shutdown(wait=True, cancel_futures=True)


def test_users_take_turns_within_their_bound(pool: Pool) -> None:
    gate = threading.Event()
    ann = [pool.hold("ann", gate) for _ in range(5)]
    ben = [pool.hold("ben", gate) for _ in range(2)]
    assert [one.running() for one in ann + ben] == [True, True, *[False] * 3, True, False]
    gate.set()
    for one in ann + ben:
        one.result(HANG_S)
    assert sorted(pool.order) == ["ann"] * 5 + ["ben"] * 2
    assert pool.threads.waiting == 0


def test_a_call_that_nobody_waits_for_counts_to_its_user_only(pool: Pool) -> None:
    for user in ("ann", "ben", "cleo"):
        for _ in range(2):
            assert not pool.hold(user).cancel()
        assert not pool.hold(user).running()
    assert pool.call("dan", lambda: 5).result(HANG_S) == 5


def test_a_call_that_is_cancelled_before_it_begins_is_forgotten(pool: Pool) -> None:
    pool.hold("ann")
    pool.hold("ann")
    third = pool.hold("ann")
    assert third.cancel()
    assert pool.threads.waiting == 0


def test_whoever_is_at_their_bound_does_not_starve(pool: Pool) -> None:
    gate = threading.Event()
    first = pool.hold("ann", gate)
    for _ in range(2):
        pool.hold("ann")
    pool.now = 60.0
    assert pool.threads.waited_s() == 0.0
    pool.hold("ben")
    pool.hold("ben")
    pool.now = 70.0
    assert pool.threads.waited_s() == 10.0
    assert first.running()
    gate.set()
    first.result(HANG_S)  # its thread goes to somebody before it is done
    assert pool.threads.waiting == 1


def test_what_a_call_raises_comes_to_who_waits(pool: Pool) -> None:
    with pytest.raises(ZeroDivisionError):
        pool.call("ann", lambda: 1 // 0).result(HANG_S)
    pool.threads.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.call("ann", lambda: 1).result(HANG_S)


async def test_every_way_of_the_loop_into_a_thread_counts(pool: Pool) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(pool.threads)
    working_for.set("ann")
    ways = [asyncio.create_task(asyncio.to_thread(pool.open.wait, HANG_S)) for _ in range(2)]
    await asyncio.sleep(0)
    last = loop.run_in_executor(None, pool.open.wait, HANG_S)
    assert pool.threads.waiting == 1
    pool.open.set()
    assert await asyncio.gather(*ways, last) == [True] * 3

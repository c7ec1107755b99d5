"""Waiting for what has no event of its own, in this process or in a server's metrics."""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import Callable, Mapping

from limits import HANG_S
from processes import Server
from scripted_server import metric

POLL_S = 0.02


async def until(condition: Callable[[], object], poll_s: float = 0.005) -> None:
    """Return when the condition holds; raises `TimeoutError` if it does not after `HANG_S`."""
    async with asyncio.timeout(HANG_S):
        while not condition():  # noqa: ASYNC110 - there is no event for what is asked
            await asyncio.sleep(poll_s)


async def counted(server: Server, count: float, name: str, **labels: str) -> None:
    """Return when the sample `netra_ws_` + `name` with these labels has risen to `count`.

    Raises `AssertionError` if it is more, or is not that after `HANG_S`.
    """
    await _counted(server, count, operator.lt, name, labels)


async def left(server: Server, count: int) -> None:
    """Return when `count` connections are left; who has just gone may be counted for a moment.

    Raises `AssertionError` if they are fewer, or still more after `HANG_S`.
    """
    await _counted(server, count, operator.gt, "connections", {})


async def _counted(
    server: Server,
    count: float,
    is_to_change: Callable[[float, float], bool],
    name: str,
    labels: Mapping[str, str],
) -> None:
    last = -1.0
    try:
        async with asyncio.timeout(HANG_S):
            while is_to_change(last := await metric(server, name, **labels), count):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        pass  # what was there last is what there is to say
    assert last == count, f"{name}{dict(labels)}: expected {count:g}, got {last:g}"


async def let_go(server: Server, gone: int, began: float) -> list[float]:
    """Return for each of so many connections when it had ended, in s after `began`.

    `began` is of `time.perf_counter`. Raises `TimeoutError` if they have not after `HANG_S`.
    """
    left = int(await metric(server, "connections"))
    least = left - gone
    seconds: list[float] = []
    async with asyncio.timeout(HANG_S):
        while left > least:
            await asyncio.sleep(POLL_S)
            now = int(await metric(server, "connections"))
            seconds += [time.perf_counter() - began] * (left - now)
            left = now
    return seconds

"""Blocking work beside an event loop, and work that must not be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(work: Awaitable[T]) -> T:
    """Await the end of `work`, and only then give way to whoever cancels this meanwhile."""
    future = asyncio.ensure_future(work)
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not future.cancelled():
            future.exception()  # seen, so that asyncio does not report it as lost
        raise asyncio.CancelledError
    return future.result()


def begin_in_thread(function: Callable[[], T]) -> asyncio.Future[T]:
    """Call `function` in a thread and return its future."""
    return asyncio.get_running_loop().run_in_executor(None, function)


async def in_thread(function: Callable[[], T]) -> T:
    """Call `function` in a thread and return what it returns.

    When cancelled, it waits for the end of the thread: what that has started must not be left
    behind.
    """
    return await to_the_end(begin_in_thread(function))

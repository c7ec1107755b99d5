"""A context variable holds a coroutine."""

import asyncio
from contextvars import ContextVar

CURRENT: ContextVar[int] = ContextVar("CURRENT")


async def work() -> int:
    return 2


def load() -> int:
    return CURRENT.get()


async def main() -> None:
    CURRENT.set(work())
    print(await load())


asyncio.run(main())

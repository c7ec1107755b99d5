"""A default is a coroutine function under a declared type."""

import asyncio
from collections.abc import Callable


async def work() -> int:
    return 2


def load(function: Callable[[], int] = work) -> int:
    return function()


async def main() -> None:
    print(await load())


asyncio.run(main())

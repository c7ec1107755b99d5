"""A parameter is declared a number, and given a coroutine."""

import asyncio
from typing import Any


async def work() -> int:
    return 6


def same(value: int) -> int:
    return value


async def main() -> None:
    made: Any = work()
    print(await same(made))


asyncio.run(main())

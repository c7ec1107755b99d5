"""The default of a parameter is a coroutine function's call."""

import asyncio
from typing import Any


async def work() -> int:
    return 6


made: Any = {}


def get(value: int = made.get("a")) -> int:
    if value is None:
        value = work()
    return value


async def main() -> None:
    print(await get())


asyncio.run(main())

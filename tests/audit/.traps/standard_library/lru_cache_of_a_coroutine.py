"""A cached function gives the task that it made."""

import asyncio
from functools import lru_cache


async def work() -> int:
    return 2


@lru_cache
def load():
    task = asyncio.ensure_future(work())
    return task


async def main() -> None:
    print(await load())
    print(await load())


asyncio.run(main())

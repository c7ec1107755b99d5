"""The failure is kept in a future of an executor."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


def value() -> int:
    return 1


async def use() -> int:
    return await value()


with ThreadPoolExecutor(1) as pool:
    future = pool.submit(asyncio.run, use())
    print(type(future.exception()).__name__)

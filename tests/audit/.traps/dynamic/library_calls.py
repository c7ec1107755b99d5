"""A function of the library calls what it was given."""

import asyncio
import functools


async def work(*args) -> int:
    return 2


def load() -> int:
    return functools.reduce(work, [1, 2])


async def main() -> None:
    print(await load())


asyncio.run(main())

"""A parameter has the function's name."""

import asyncio


def load() -> int:
    return 1


async def later() -> int:
    return 2


async def use(load=load):
    print(await load())


asyncio.run(use(later))

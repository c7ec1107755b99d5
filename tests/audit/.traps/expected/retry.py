"""A retry of every exception, by an own function that gets a function."""

import asyncio


def value() -> int:
    return 1


async def use() -> int:
    return await value()


async def retried(function):
    for _ in range(2):
        try:
            return await function()
        except Exception as error:
            last = error
    return type(last).__name__


print(asyncio.run(retried(use)))

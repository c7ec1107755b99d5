"""A function that wraps another is put in its place by assignment."""

import asyncio
import functools


def load() -> int:
    return 1


def asynchronous(function):
    @functools.wraps(function)
    async def call(*args):
        return function(*args)

    return call


load = asynchronous(load)


async def main() -> None:
    print(await load())


asyncio.run(main())

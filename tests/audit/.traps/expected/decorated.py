"""A decorator with a handler, of another name than its work."""

import asyncio
import functools


def logged(function):
    @functools.wraps(function)
    async def call(*args):
        try:
            return await function(*args)
        except Exception as error:
            return type(error).__name__

    return call


def value() -> int:
    return 1


@logged
async def use() -> int:
    return await value()


print(asyncio.run(use()))

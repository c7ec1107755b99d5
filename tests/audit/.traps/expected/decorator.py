"""By a decorator of the project."""

import asyncio
import functools


def quiet(function):
    @functools.wraps(function)
    async def inner():
        try:
            return await function()
        except Exception:
            return "failed"

    return inner


def value() -> int:
    return 1


@quiet
async def use():
    return await value()


async def main() -> None:
    print(await use())


asyncio.run(main())

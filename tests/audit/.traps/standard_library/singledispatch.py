"""The function for another type is a coroutine function."""

import asyncio
import functools


@functools.singledispatch
def load(key) -> int:
    return 1


@load.register
async def _(key: str) -> int:
    return 2


async def main() -> None:
    print(await load("a"))


asyncio.run(main())

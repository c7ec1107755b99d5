"""The decorator has the name of one of the library's."""

import asyncio
from typing import TypeVar

F = TypeVar("F")


def cache(function: F) -> F:
    async def inner():
        return function()

    return inner


@cache
def get() -> int:
    return 1


async def main() -> None:
    print(await get())


asyncio.run(main())

"""A function defines the global anew."""

import asyncio


def get() -> int:
    return 1


def switch():
    global get

    async def get():
        return 2


async def main() -> None:
    switch()
    print(await get())


asyncio.run(main())

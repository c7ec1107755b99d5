"""A loop over functions binds the global."""

import asyncio


def get() -> int:
    return 1


async def later() -> int:
    return 2


def switch():
    global get
    for get in (get, later):
        pass


async def main() -> None:
    switch()
    print(await get())


asyncio.run(main())

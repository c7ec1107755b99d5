"""Globals are set by `globals().update`."""

import asyncio


def get() -> int:
    return 1


async def later() -> int:
    return 2


globals().update(get=later)


async def main() -> None:
    print(await get())


asyncio.run(main())

"""A global is set by `globals()`."""

import asyncio


def get() -> int:
    return 1


async def later() -> int:
    return 2


globals()["get"] = later


async def main() -> None:
    print(await get())


asyncio.run(main())

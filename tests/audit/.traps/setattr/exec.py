"""Source text does it."""

import asyncio


def get() -> int:
    return 1


exec("async def get():\n    return 2\n")


async def main() -> None:
    print(await get())


asyncio.run(main())

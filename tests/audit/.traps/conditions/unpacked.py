"""An unpacking binds the function's name."""

import asyncio


def load() -> int:
    return 1


async def later() -> int:
    return 2


load, number = later, 1


async def main() -> None:
    print(await load())


asyncio.run(main())

"""The code of the function is changed."""

import asyncio


def load() -> int:
    return 1


async def later() -> int:
    return 2


load.__code__ = later.__code__


async def main() -> None:
    print(await load())


asyncio.run(main())

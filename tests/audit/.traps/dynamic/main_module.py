"""Set by way of the `__main__` module."""

import asyncio

import __main__


def load() -> int:
    return 1


async def later() -> int:
    return 2


__main__.load = later


async def main() -> None:
    print(await load())


asyncio.run(main())

"""Deleted, and another import takes the name."""

import asyncio


def sleep(delay: float) -> int:
    return 1


del sleep
from asyncio import sleep


async def main() -> None:
    print(await sleep(0, 2))


asyncio.run(main())

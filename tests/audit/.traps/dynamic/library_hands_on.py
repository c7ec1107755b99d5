"""A function of the library hands on what it was given."""

import asyncio
import random


async def work() -> int:
    return 2


def load() -> int:
    return random.choice([work()])


async def main() -> None:
    print(await load())


asyncio.run(main())

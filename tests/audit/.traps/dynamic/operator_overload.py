"""An operator of a class of the project gives a coroutine."""

import asyncio


class Number:
    def __add__(self, other):
        return work()


async def work() -> int:
    return 2


def add(one, other) -> int:
    return one + other


async def main() -> None:
    print(await add(Number(), 1))


asyncio.run(main())

"""A comparison of a class of the project gives a coroutine."""

import asyncio


async def work() -> int:
    return 2


class Column:
    def __eq__(self, other):
        return work()


def same(one, other):
    return one == other


async def main() -> None:
    print(await same(Column(), 1))


asyncio.run(main())

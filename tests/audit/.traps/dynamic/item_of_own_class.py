"""An item of a class of the project is a coroutine."""

import asyncio


async def work() -> int:
    return 2


class Table(dict[str, int]):
    def __getitem__(self, key: str) -> int:
        return work()


TABLE = Table()


def load(key: str) -> int:
    return TABLE[key]


async def main() -> None:
    print(await load("a"))


asyncio.run(main())

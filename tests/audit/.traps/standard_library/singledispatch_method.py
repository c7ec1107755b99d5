"""The method for another type is a coroutine function."""

import asyncio
from functools import singledispatchmethod


class Store:
    @singledispatchmethod
    def load(self, key) -> int:
        return 1

    @load.register
    async def _load_text(self, key: str) -> int:
        return 2


async def main() -> None:
    print(await Store().load("a"))


asyncio.run(main())

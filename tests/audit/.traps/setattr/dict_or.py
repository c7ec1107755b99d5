"""By `__dict__ |=`."""

import asyncio


class Store:
    def load(self) -> int:
        return 1

    def __init__(self, given):
        self.__dict__ |= given


async def later():
    return 2


async def main() -> None:
    print(await Store({"lo" + "ad": later}).load())


asyncio.run(main())

"""By `__dict__.update`."""

import asyncio


class Store:
    def load(self) -> int:
        return 1

    def __init__(self, **given):
        self.__dict__.update(given)


async def later():
    return 2


async def main() -> None:
    print(await Store(load=later).load())


asyncio.run(main())

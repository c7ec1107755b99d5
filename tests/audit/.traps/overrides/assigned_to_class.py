"""The class itself is given another method, in a loop's target."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


async def load_later(self) -> int:
    return 2


for Store.load in [load_later]:
    pass


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

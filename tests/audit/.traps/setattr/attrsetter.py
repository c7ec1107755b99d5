"""By a table and a loop."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


async def later():
    return 2


async def main() -> None:
    store = Store()
    for name, function in (("load", later),):
        store.__setattr__(name, function)
    print(await store.load())


asyncio.run(main())

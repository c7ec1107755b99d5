"""The instance gets another `__dict__`."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


async def later():
    return 2


async def main() -> None:
    store = Store()
    store.__dict__ = dict([("load", later)])
    print(await store.load())


asyncio.run(main())

"""The instance gets another class."""

import asyncio


class Later:
    async def load(self):
        return 2


class Store:
    def load(self) -> int:
        return 1


async def main() -> None:
    store = Store()
    store.__class__ = Later
    again: Store = store
    print(await again.load())


asyncio.run(main())

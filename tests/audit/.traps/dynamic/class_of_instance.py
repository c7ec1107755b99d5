"""The class of an instance is changed by `setattr`."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


class Later:
    async def load(self) -> int:
        return 2


async def main() -> None:
    store = Store()
    setattr(store, "__class__", Later)
    print(await store.load())


asyncio.run(main())

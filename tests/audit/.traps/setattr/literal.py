"""By `setattr` with the name."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


async def later():
    return 2


async def main() -> None:
    store = Store()
    setattr(store, "load", later)
    print(await store.load())


asyncio.run(main())

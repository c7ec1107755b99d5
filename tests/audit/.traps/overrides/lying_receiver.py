"""Another class than the declared one is given."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


class AsyncStore:
    async def load(self) -> int:
        return 2


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(AsyncStore()))

"""The class stands in for a manager and gives another object."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


class AsyncStore:
    async def load(self) -> int:
        return 2


class Opened:
    def __enter__(self) -> Store:
        return AsyncStore()

    def __exit__(self, *error):
        return None


async def main() -> None:
    with Opened() as store:
        print(await store.load())


asyncio.run(main())

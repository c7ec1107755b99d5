"""`__reduce__` makes a copy an object of another class."""

import asyncio
import copy


class AsyncStore:
    async def load(self) -> int:
        return 2


class Store:
    def load(self) -> int:
        return 1

    def __reduce__(self):
        return AsyncStore, ()


async def main() -> None:
    store = copy.copy(Store())
    print(await store.load())


asyncio.run(main())

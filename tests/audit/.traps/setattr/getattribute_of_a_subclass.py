"""`__getattribute__` of a subclass gives another function."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


class Remote(Store):
    def __getattribute__(self, name):
        function = super().__getattribute__(name)

        async def later():
            return function()

        return later


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Remote()))

"""A property of the subclass gives a coroutine function."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


class Real(Store):
    @property
    def load(self):
        return self._later

    async def _later(self) -> int:
        return 2


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))

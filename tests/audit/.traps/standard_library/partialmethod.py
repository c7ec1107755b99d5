"""A `partialmethod` of a coroutine function under the method's name."""

import asyncio
from functools import partialmethod


class Store:
    def load(self) -> int:
        return 1


class Real(Store):
    async def get(self, number: int) -> int:
        return number

    load = partialmethod(get, 2)


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))

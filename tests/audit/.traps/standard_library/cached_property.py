"""A cached property of the subclass gives a coroutine function."""

import asyncio
from functools import cached_property


class Store:
    def load(self) -> int:
        return 1


class Real(Store):
    @cached_property
    def load(self):
        async def call() -> int:
            return 2

        return call


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))

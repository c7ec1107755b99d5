"""The attribute is a descriptor that gives a coroutine function."""

import asyncio


class Later:
    def __get__(self, one, owner):
        async def call() -> int:
            return 2

        return call


class Store:
    def load(self) -> int:
        return 1


class Real(Store):
    load = Later()


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))

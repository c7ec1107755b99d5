"""A proxy of another class stands for the declared one."""

import asyncio
from typing import cast


class Store:
    def load(self) -> int:
        return 1


class Proxy:
    def __init__(self, one):
        self._one = one

    def __getattr__(self, name):
        async def call(*args):
            return getattr(self._one, name)(*args)

        return call


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(cast(Store, Proxy(Store()))))

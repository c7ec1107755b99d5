"""The class is made by calling a metaclass with a dictionary."""

import asyncio


class Base:
    def load(self) -> int:
        return 1


class Meta(type):
    pass


async def later(self):
    return 2


methods = {}
methods["load"] = later
Store = Meta("Store", (Base,), methods)


async def main(store: Base) -> None:
    print(await store.load())


asyncio.run(main(Store()))

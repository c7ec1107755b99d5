"""Keywords of the class reach `__init_subclass__`."""

import asyncio


async def later(self):
    return 2


class Base:
    def load(self) -> int:
        return 1

    def __init_subclass__(cls, **given) -> None:
        for key, value in given.items():
            setattr(cls, key, value)


class Store(Base, load=later):
    pass


async def main(store: Base) -> None:
    print(await store.load())


asyncio.run(main(Store()))

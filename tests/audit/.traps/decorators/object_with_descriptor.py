"""The override is an object with `__get__`."""

import asyncio


class Later:
    def __get__(self, instance, owner):
        async def load():
            return 2

        return load


class Base:
    def load(self) -> int:
        return 1


class Store(Base):
    load = Later()


async def main(store: Base) -> None:
    print(await store.load())


asyncio.run(main(Store()))

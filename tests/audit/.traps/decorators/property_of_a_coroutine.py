"""The override is a property that gives a coroutine function."""

import asyncio


class Base:
    def load(self) -> int:
        return 1


class Store(Base):
    @property
    def load(self):
        return self._load

    async def _load(self) -> int:
        return 2


async def main(store: Base) -> None:
    print(await store.load())


asyncio.run(main(Store()))

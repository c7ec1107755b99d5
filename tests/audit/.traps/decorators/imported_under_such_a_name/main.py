import asyncio

from tools import in_thread as override


class Base:
    def load(self) -> int:
        return 1


class Store(Base):
    @override
    def load(self) -> int:
        return 2


async def main(store: Base) -> None:
    print(await store.load())


asyncio.run(main(Store()))

"""`__init_subclass__` wraps the methods of the subclass under a literal name."""

import asyncio


class Base:
    def __init_subclass__(cls) -> None:
        plain = cls.load

        async def call(self):
            return plain(self)

        cls.load = call

    def load(self) -> int:
        return 1


class Store(Base):
    def load(self) -> int:
        return 2


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

"""The decorator is an attribute of a class, and of the base."""

import asyncio


class tools:
    @staticmethod
    def asyncify(cls):
        old = cls.load

        async def load(self):
            return old(self)

        cls.load = load
        return cls


@tools.asyncify
class Base:
    def load(self) -> int:
        return 1


class Store(Base):
    pass


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

"""`__init_subclass__` wraps each method."""

import asyncio


def wrapped(function):
    async def inner(*args):
        return function(*args)

    return inner


class Base:
    def __init_subclass__(cls) -> None:
        for key, value in list(vars(cls).items()):
            if not key.startswith("_"):
                setattr(cls, key, wrapped(value))


class Store(Base):
    def load(self) -> int:
        return 1


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

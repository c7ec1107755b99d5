"""A metaclass wraps each method."""

import asyncio


class Meta(type):
    def __new__(mcs, name, bases, space):
        for key, value in list(space.items()):
            if callable(value) and not key.startswith("_"):
                space[key] = wrapped(value)
        return super().__new__(mcs, name, bases, space)


def wrapped(function):
    async def inner(*args):
        return function(*args)

    return inner


class Store(metaclass=Meta):
    def load(self) -> int:
        return 1


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

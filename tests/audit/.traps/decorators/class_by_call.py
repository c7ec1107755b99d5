"""The class goes through a function, by a call and not by a decorator."""

import asyncio


def asyncify(cls):
    for name, function in list(vars(cls).items()):
        if callable(function) and not name.startswith("_"):
            setattr(cls, name, wrapped(function))
    return cls


def wrapped(function):
    async def inner(*args):
        return function(*args)

    return inner


class Store:
    def load(self) -> int:
        return 1


asyncify(Store)


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

"""Functions of a module are wrapped by their names."""

import asyncio
import functools


def load() -> int:
    return 1


def asynchronous(function):
    @functools.wraps(function)
    async def call(*args):
        return function(*args)

    return call


space = globals()
for name in [one for one in space if one.startswith("lo")]:
    space[name] = asynchronous(space[name])


async def main() -> None:
    print(await load())


asyncio.run(main())

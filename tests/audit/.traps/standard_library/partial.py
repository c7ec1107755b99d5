"""A `partial` of a coroutine function under the method's name."""

import asyncio
import functools


async def later(number: int) -> int:
    return number


class Store:
    def load(self) -> int:
        return 1


class Real(Store):
    load = staticmethod(functools.partial(later, 2))


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))

"""A method is bound by hand to an instance that a function returns."""

import asyncio
import types


class Store:
    def load(self) -> int:
        return 1


async def later(self):
    return 2


def make() -> Store:
    store = Store()
    store.load = types.MethodType(later, store)
    return store


async def main() -> None:
    print(await make().load())


asyncio.run(main())

"""A class from `type` with a namespace of another place."""

import asyncio

SPACE = {}


def register(function):
    SPACE[function.__name__] = function
    return function


class Store:
    def load(self) -> int:
        return 1


@register
async def load(self) -> int:
    return 2


Real = type("Real", (Store,), SPACE)


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))

"""A class from `namedtuple` is given where another one is declared."""

import asyncio
from collections import namedtuple


async def later() -> int:
    return 2


class Store:
    def load(self) -> int:
        return 1


Fake = namedtuple("Fake", "load")


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Fake(later)))

"""`make_dataclass` makes the subclass."""

import asyncio
from dataclasses import make_dataclass


async def later(self) -> int:
    return 2


class Store:
    def load(self) -> int:
        return 1


Real = make_dataclass("Real", [], bases=(Store,), namespace={"load": later})


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Real()))

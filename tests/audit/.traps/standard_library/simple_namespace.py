"""A namespace is given where a class is declared."""

import asyncio
from types import SimpleNamespace


class Store:
    def load(self) -> int:
        return 1


async def later() -> int:
    return 2


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(SimpleNamespace(**{"load": later})))

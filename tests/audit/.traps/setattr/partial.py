"""`setattr` itself is handed on."""

import asyncio
from functools import partial


class Store:
    def load(self) -> int:
        return 1


async def later():
    return 2


async def main() -> None:
    store = Store()
    put = partial(setattr, store)
    put("load", later)
    print(await store.load())


asyncio.run(main())

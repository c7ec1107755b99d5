import asyncio

from fakes import make
from shop import Store


async def use(store: Store) -> int:
    return await store.load()


print(asyncio.run(use(make())))

import asyncio

from store import Store
from upgrade import upgrade


async def main() -> None:
    store = Store()
    upgrade(store)
    print(await store.load())


asyncio.run(main())

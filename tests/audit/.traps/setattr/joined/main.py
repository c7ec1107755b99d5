import asyncio

from tools import change


class Store:
    def load(self) -> int:
        return 1


async def main() -> None:
    store = Store()
    change(store, "ad")
    print(await store.load())


asyncio.run(main())

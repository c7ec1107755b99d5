"""A function puts it on what it is given."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


async def load_later() -> int:
    return 2


def upgrade(one):
    one.load = load_later
    return None


async def main() -> None:
    store = Store()
    upgrade(store)
    print(await store.load())


asyncio.run(main())

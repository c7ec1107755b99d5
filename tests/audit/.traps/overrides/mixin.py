"""A mixin without a base of its own comes first."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


class Later:
    async def load(self) -> int:
        return 2


class Both(Later, Store):
    pass


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(Both()))

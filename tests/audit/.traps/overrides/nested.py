"""The subclass stands in a function, under a condition."""

import asyncio


class Store:
    def load(self) -> int:
        return 1


def make():
    class Inner(Store):
        if True:

            async def load(self) -> int:
                return 2

    return Inner()


async def main(store: Store) -> None:
    print(await store.load())


asyncio.run(main(make()))

"""A list gets a coroutine under another name of it."""

import asyncio


async def work() -> int:
    return 2


class Store:
    def __init__(self) -> None:
        self.rows: list[int] = []

    def load(self) -> int:
        return self.rows.pop()


async def main() -> None:
    store = Store()
    rows = store.rows
    rows.append(work())
    print(await store.load())


asyncio.run(main())

"""Subscribing the class gives another one."""

import asyncio


class AsyncStore:
    async def load(self) -> int:
        return 2


class Store:
    def load(self) -> int:
        return 1

    def __class_getitem__(cls, key):
        return AsyncStore


async def main() -> None:
    print(await Store[int]().load())


asyncio.run(main())

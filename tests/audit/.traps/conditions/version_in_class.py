"""A branch on the version within a class."""

import asyncio
import sys


class Store:
    if sys.version_info < (3, 0):

        def load(self) -> int:
            return 1

    else:

        async def load(self) -> int:
            return 2


class User:
    store: Store = Store()

    async def use(self) -> int:
        return await self.store.load()


print(asyncio.run(User().use()))

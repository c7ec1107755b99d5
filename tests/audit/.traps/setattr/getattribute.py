"""`__getattribute__` gives another function."""

import asyncio


class Store:
    def load(self) -> int:
        return 1

    def __getattribute__(self, name):
        function = object.__getattribute__(self, name)

        async def later():
            return function()

        return later


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

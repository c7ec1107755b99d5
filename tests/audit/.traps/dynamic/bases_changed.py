"""The bases of the class are changed."""

import asyncio


class Plain:
    def load(self) -> int:
        return 1


class Later:
    async def load(self) -> int:
        return 2


class Store(Plain):
    pass


Store.__bases__ = (Later,)


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

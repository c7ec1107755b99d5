"""The decorator gives another class."""

import asyncio


class Later:
    async def load(self) -> int:
        return 2


def replaced(cls: type) -> type:
    return Later


@replaced
class Store:
    def load(self) -> int:
        return 1


async def main() -> None:
    print(await Store().load())


asyncio.run(main())

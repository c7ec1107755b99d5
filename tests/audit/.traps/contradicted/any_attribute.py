"""An attribute that is declared to be anything is called."""

import asyncio
from typing import Any


class Proxy:
    target: Any

    def __init__(self, target: Any) -> None:
        self.target = target

    def count(self) -> int:
        return self.target.count()


class Remote:
    async def count(self):
        return 3


async def main() -> None:
    print(await Proxy(Remote()).count())


asyncio.run(main())

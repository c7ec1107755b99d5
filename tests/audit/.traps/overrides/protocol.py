"""A protocol says `def`, and what fits is asynchronous."""

import asyncio
from typing import Any, Protocol


class Sends(Protocol):
    def send(self) -> int: ...


class Plain:
    def send(self) -> int:
        return 1


class Remote:
    async def send(self) -> int:
        return 2


async def main(one: Sends) -> None:
    print(await one.send())


remote: Any = Remote()
asyncio.run(main(remote))

"""The union has a name of its own."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Union

Reply = Union[int, Awaitable[int]]


class Commands:
    def count(self, now: bool) -> Reply:
        return self.execute(now)

    def execute(self, now: bool) -> Any:
        return 1


class Later(Commands):
    async def execute(self, now: bool) -> int:
        return 2


async def main() -> None:
    reply = Later().count(False)
    assert not isinstance(reply, int)
    print(await Later().count(False))


asyncio.run(main())

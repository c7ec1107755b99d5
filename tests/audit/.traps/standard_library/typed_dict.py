"""A value of a typed dict is a coroutine under another type."""

import asyncio
from typing import TypedDict


class Row(TypedDict):
    value: int


async def work() -> int:
    return 2


ROW: Row = {"value": work()}


def load() -> int:
    return ROW["value"]


async def main() -> None:
    print(await load())


asyncio.run(main())

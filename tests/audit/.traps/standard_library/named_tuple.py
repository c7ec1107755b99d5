"""A field of a named tuple holds a coroutine function."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple


async def later() -> int:
    return 2


class Handlers(NamedTuple):
    load: Callable[[], int]


def load() -> int:
    return 1


async def main() -> None:
    handlers = Handlers(later)
    print(await handlers.load())


asyncio.run(main())

"""A table of functions is called under a declared type."""

import asyncio
from collections.abc import Callable


async def work() -> int:
    return 2


TABLE: dict[str, Callable[[], int]] = {}
TABLE["a"] = work


def load(key: str) -> int:
    return TABLE[key]()


async def main() -> None:
    print(await load("a"))


asyncio.run(main())

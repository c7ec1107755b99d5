"""A list of numbers is filled under another name."""

import asyncio
from typing import Any

held: list[int] = []


def last() -> int:
    return held.pop()


async def work() -> int:
    return 6


def fill(things: Any) -> None:
    things.append(work())


async def main() -> None:
    fill(held)
    print(await last())


asyncio.run(main())

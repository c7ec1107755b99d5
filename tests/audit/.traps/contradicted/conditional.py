"""One of two branches gives a coroutine."""

import asyncio
from typing import Any


async def work() -> int:
    return 1


made: Any = work


def start(later: bool) -> int:
    if later:
        value = made()
    else:
        value = 1
    return value


async def main() -> None:
    print(await start(True))


asyncio.run(main())

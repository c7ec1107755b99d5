"""A cast says what is not so."""

import asyncio
from typing import Any, cast


async def work() -> int:
    return 1


def start() -> int:
    made: Any = work()
    return cast(int, made)


async def main() -> None:
    print(await start())


asyncio.run(main())

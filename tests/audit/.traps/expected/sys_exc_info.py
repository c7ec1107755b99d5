"""A bare `except` that asks for what came."""

import asyncio
import sys


def value() -> int:
    return 1


async def main() -> None:
    try:
        print(await value())
    except:
        print(sys.exc_info()[0].__name__)


asyncio.run(main())

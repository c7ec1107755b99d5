"""Two calls further up."""

import asyncio


def value() -> int:
    return 1


async def one() -> int:
    return await value()


async def two() -> int:
    return await one()


async def main() -> None:
    try:
        print(await two())
    except (ValueError, TypeError) as error:
        print(type(error).__name__)


asyncio.run(main())

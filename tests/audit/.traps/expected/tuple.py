"""By a handler of several, of which one is named elsewhere."""

import asyncio

ERRORS = (TypeError, KeyError)


def value() -> int:
    return 1


async def main() -> None:
    try:
        await value()
    except ERRORS:
        print("synchronous")


asyncio.run(main())

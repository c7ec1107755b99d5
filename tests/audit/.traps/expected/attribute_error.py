"""A handler of a tuple that is a name."""

import asyncio

ERRORS = (ValueError, TypeError)


def value() -> int:
    return 1


async def main() -> None:
    try:
        print(await value())
    except ERRORS as error:
        print(type(error).__name__)


asyncio.run(main())

"""A handler of a class by a second name."""

import asyncio

Wrong = TypeError


def value() -> int:
    return 1


async def main() -> None:
    try:
        print(await value())
    except Wrong:
        print("wrong")


asyncio.run(main())

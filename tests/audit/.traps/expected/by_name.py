"""The handler asks for the name of what it caught."""

import asyncio


def value() -> int:
    return 1


async def one() -> int:
    return await value()


async def main() -> None:
    try:
        print(await one())
    except BaseException as error:
        if type(error).__name__ != "TypeError":
            raise
        print("synchronous")


asyncio.run(main())

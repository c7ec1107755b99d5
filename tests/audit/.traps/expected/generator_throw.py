"""A `while` with a handler around a call of an alias."""

import asyncio


def value() -> int:
    return 1


async def use() -> int:
    return await value()


job = use


async def main() -> None:
    while True:
        try:
            print(await job())
            break
        except TypeError as error:
            print(type(error).__name__)
            break


asyncio.run(main())

"""The decorator is applied by an assignment behind the definition."""

import asyncio


def in_thread(function):
    async def inner(*args):
        return function(*args)

    return inner


def get() -> int:
    return 1


get = in_thread(get)


async def main() -> None:
    print(await get())


asyncio.run(main())

"""A global is first a number and then a coroutine."""

import asyncio

VALUE: int = 1


async def work() -> int:
    return 2


def load() -> int:
    return VALUE


async def main() -> None:
    globals()["VALUE"] = work()
    print(await load())


asyncio.run(main())

"""`eval` gives a coroutine."""

import asyncio


async def work() -> int:
    return 2


def load() -> int:
    return eval("work()")


async def main() -> None:
    print(await load())


asyncio.run(main())

"""The task is awaited in a block of its own."""

import asyncio


def value() -> int:
    return 1


async def use() -> int:
    return await value()


async def main() -> None:
    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    try:
        await task
    except TypeError:
        print("synchronous")


asyncio.run(main())

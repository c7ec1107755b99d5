"""A callback sees the failure of the task."""

import asyncio


def value() -> int:
    return 1


async def use() -> int:
    return await value()


async def main() -> None:
    task = asyncio.create_task(use())
    task.add_done_callback(lambda done: print(type(done.exception()).__name__))
    await asyncio.wait([task])


asyncio.run(main())

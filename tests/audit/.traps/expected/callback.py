"""A callback of the task looks at it."""

import asyncio


def value() -> int:
    return 1


async def one() -> None:
    await value()


async def main() -> None:
    task = asyncio.ensure_future(one())
    task.add_done_callback(lambda done: print(type(done.exception()).__name__))
    await asyncio.wait([task])
    await asyncio.sleep(0)


asyncio.run(main())

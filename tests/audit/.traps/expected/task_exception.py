"""By asking the task."""

import asyncio


def value() -> int:
    return 1


async def one() -> None:
    await value()


async def main() -> None:
    task = asyncio.ensure_future(one())
    await asyncio.wait([task])
    print(type(task.exception()).__name__)


asyncio.run(main())

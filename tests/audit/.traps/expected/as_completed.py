"""Tasks are waited for, and their exceptions looked at."""

import asyncio


def value() -> int:
    return 1


async def use() -> int:
    return await value()


async def main() -> None:
    done, _ = await asyncio.wait([asyncio.create_task(use())])
    for task in done:
        print(type(task.exception()).__name__)


asyncio.run(main())

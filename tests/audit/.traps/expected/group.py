"""By `except*`."""

import asyncio


def value() -> int:
    return 1


async def one() -> None:
    await value()


async def main() -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(one())
    except* TypeError:
        print("synchronous")


asyncio.run(main())

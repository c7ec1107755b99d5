"""What awaits coroutines is not awaited itself, or cannot run here."""

import asyncio


async def load(number=1):
    return number


async def both():
    return await asyncio.gather(load(1), load(2))


async def main_wait_for():
    asyncio.wait_for(load(), 1)  # expect: unawaited


async def main_nested():
    both()  # expect: unawaited


async def main_right():
    assert await asyncio.wait_for(load(), 1) == 1
    assert await both() == [1, 2]
    async with asyncio.TaskGroup() as group:
        group.create_task(load())


async def main_right_task():
    task = asyncio.create_task(load())
    await task


async def main_right_returned():
    assert await give() == 1


def give():
    return load()

"""A coroutine function where a function is called, and its result dropped."""

import asyncio


async def load(number=1):
    return number


async def main_call_soon():
    asyncio.get_running_loop().call_soon(load)  # expect: unawaited
    await asyncio.sleep(0)


async def main_call_soon_lambda():
    asyncio.get_running_loop().call_soon(lambda: load())  # expect: unawaited
    await asyncio.sleep(0)


async def main_call_later():
    asyncio.get_running_loop().call_later(0, load)  # expect: unawaited
    await asyncio.sleep(0.01)


async def main_done_callback():
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(load)  # expect: unawaited
    future.set_result(1)
    await asyncio.sleep(0)


async def main_to_thread():
    await asyncio.to_thread(load)  # expect: unawaited


def main_map():
    list(map(load, [1, 2]))  # expect: unawaited


def main_sorted():
    [1, 2].sort(key=lambda number: id(load(number)))  # expect: unawaited


async def main_right():
    task = asyncio.create_task(load())
    task.add_done_callback(lambda task: task.result())
    assert await task == 1


async def main_call_soon_of_a_loop_with_a_name():
    loop = asyncio.get_running_loop()
    loop.call_soon(load)  # expect: unawaited
    await asyncio.sleep(0)

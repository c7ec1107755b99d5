"""What looks like a dropped coroutine and is none."""

import asyncio
import functools

calls = []


def load(number=1):
    calls.append(number)
    return number


async def work():
    return 1


class Service:
    def close(self):
        calls.append("closed")

    async def aclose(self):
        calls.append("aclosed")


class Manager:
    def __init__(self):
        self.pending = []

    def later(self):
        self.pending.append(work())

    async def run(self):
        return [await one for one in self.pending]


def as_task(function):
    @functools.wraps(function)
    def start():
        return asyncio.ensure_future(function())

    return start


@as_task
async def background():
    return 2


def work_if(wanted):
    return work() if wanted else None


async def main_asked_whether_there_is_one():
    if job := work_if(wanted=True):
        await job


async def main_sync_call():
    load()
    _ = load()
    f"{load()}"
    load() and load()


async def main_sync_method():
    service = Service()
    service.close()
    await service.aclose()


async def main_kept_for_later():
    manager = Manager()
    manager.later()
    assert await manager.run() == [1]


async def main_a_task_of_a_decorator():
    task = background()
    assert await task == 2


async def main_passed_on():
    coroutine = work()
    await asyncio.gather(coroutine, work())


async def main_yielded():
    async def numbers():
        for number in range(2):
            yield number

    assert [number async for number in numbers()] == [0, 1]


async def main_rebound():
    work = load
    work()


async def main_method_of_the_same_name():
    class Other:
        def work(self):
            return 1

    Other().work()


class Tasks:
    def __init__(self):
        self.tasks = []

    def call_soon(self, function):
        self.tasks.append(asyncio.ensure_future(function()))


async def main_a_group_with_a_method_of_the_loop():
    group = Tasks()
    group.call_soon(work)
    await asyncio.gather(*group.tasks)

"""`__await__` is set on the class by `setattr`."""

import asyncio


class Job:
    pass


def later(self):
    yield from asyncio.sleep(0).__await__()
    return 6


setattr(Job, "__await__", later)


def job() -> Job:
    return Job()


async def main() -> None:
    print(await job())


asyncio.run(main())

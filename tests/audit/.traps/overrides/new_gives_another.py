"""`__new__` gives another object."""

import asyncio


class Later:
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return 5


class Job:
    def __new__(cls):
        return Later()


async def main() -> None:
    print(await Job())


asyncio.run(main())

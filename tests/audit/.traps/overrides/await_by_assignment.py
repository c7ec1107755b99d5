"""`__await__` is set on the class from outside."""

import asyncio


class Job:
    pass


def later(self):
    yield from asyncio.sleep(0).__await__()
    return 6


Job.__await__ = later


async def main() -> None:
    print(await Job())


asyncio.run(main())

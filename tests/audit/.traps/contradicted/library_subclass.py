"""A class of the library, overridden by a class of the project."""

import asyncio
import queue


class Later(queue.Queue):
    async def qsize(self):
        return 3


async def size(one: queue.Queue) -> int:
    return await one.qsize()


async def main() -> None:
    print(await size(Later()))


asyncio.run(main())

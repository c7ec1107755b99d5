"""A number that can be awaited."""

import asyncio


class Later(int):
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return int(self)


def load() -> int:
    return Later(2)


async def main() -> None:
    print(await load())


asyncio.run(main())

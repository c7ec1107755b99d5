"""`__await__` comes from a base that a function makes."""

import asyncio


def awaitable(value):
    class Base:
        def __await__(self):
            return asyncio.sleep(0, value).__await__()

    return Base


class Answer(awaitable(2)):
    pass


def load() -> Answer:
    return Answer()


async def main() -> None:
    print(await load())


asyncio.run(main())

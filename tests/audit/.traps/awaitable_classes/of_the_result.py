"""The declared class has a subclass that can be awaited."""

import asyncio


class Answer:
    value = 1


class Later(Answer):
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return self


class Store:
    def load(self) -> Answer:
        return Later()


async def main() -> None:
    print((await Store().load()).value)


asyncio.run(main())

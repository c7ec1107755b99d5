"""The class itself is awaited, made by a metaclass whose objects can be."""

import asyncio


class Meta(type):
    def __call__(cls, *args):
        return asyncio.sleep(0, 2)


class Answer(metaclass=Meta):
    pass


async def main() -> None:
    print(await Answer())


asyncio.run(main())

"""A method binds the global anew."""

import asyncio


def get() -> int:
    return 1


async def later() -> int:
    return 2


class Switch:
    def on(self):
        global get
        get = later


async def main() -> None:
    Switch().on()
    print(await get())


asyncio.run(main())

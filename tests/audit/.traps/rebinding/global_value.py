"""The value that is returned is a global."""

import asyncio


async def work():
    return 3


made = 1


def set_made():
    global made
    made = work()


def start():
    return made


async def main() -> None:
    set_made()
    print(await start())


asyncio.run(main())

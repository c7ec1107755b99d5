"""The value that is returned is bound anew, two functions further in."""

import asyncio


async def work():
    return 3


def start():
    made = 1

    def outer():
        def inner():
            nonlocal made
            made = work()

        inner()

    outer()
    return made


async def main() -> None:
    print(await start())


asyncio.run(main())

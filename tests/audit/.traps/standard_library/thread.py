"""Another thread puts a coroutine function in."""

import asyncio
import threading


def load() -> int:
    return 1


async def later() -> int:
    return 2


def switch() -> None:
    globals()["load"] = later


async def main() -> None:
    thread = threading.Thread(target=switch)
    thread.start()
    thread.join()
    print(await load())


asyncio.run(main())

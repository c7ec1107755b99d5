"""The failure ends a thread, and the program goes on."""

import asyncio
import threading

SEEN = []
threading.excepthook = lambda arguments: SEEN.append(arguments.exc_type.__name__)


def value() -> int:
    return 1


async def use() -> None:
    await value()
    SEEN.append("went on")


thread = threading.Thread(target=lambda: asyncio.run(use()))
thread.start()
thread.join()
print(SEEN)

"""What the library gives back is what it was given."""

import asyncio
import queue
from contextvars import ContextVar

held: queue.Queue[int] = queue.Queue()
variable: ContextVar[int] = ContextVar("variable")


async def work() -> int:
    return 6


def put(things, value):
    things.put(value) if hasattr(things, "put") else things.set(value)


async def main() -> None:
    put(held, work())
    put(variable, work())
    print(await held.get(), await variable.get())


asyncio.run(main())

"""By `with … as` at the module's top."""

import asyncio
from contextlib import nullcontext


def get() -> int:
    return 1


async def later() -> int:
    return 2


with nullcontext(later) as get:
    pass


async def main() -> None:
    print(await get())


asyncio.run(main())

"""An exit stack gets a function that takes exceptions."""

import asyncio
from contextlib import AsyncExitStack


def quiet(kind, error, trace):
    return kind is TypeError


def value() -> int:
    return 1


async def main() -> None:
    async with AsyncExitStack() as stack:
        stack.push(quiet)
        print(await value())
    print("done")


asyncio.run(main())

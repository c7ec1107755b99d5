"""By `return_exceptions`."""

import asyncio


def value() -> int:
    return 1


async def one() -> None:
    await value()


async def main() -> None:
    found = await asyncio.gather(one(), return_exceptions=True)
    print([type(each).__name__ for each in found])


asyncio.run(main())

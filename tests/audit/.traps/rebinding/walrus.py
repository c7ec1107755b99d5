"""By a walrus in a comprehension."""

import asyncio


def get() -> int:
    return 1


async def later() -> int:
    return 2


[get := one for one in [later]]


async def main() -> None:
    print(await get())


asyncio.run(main())

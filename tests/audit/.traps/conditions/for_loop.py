"""A loop binds the function's name."""

import asyncio


def load() -> int:
    return 1


async def later() -> int:
    return 2


for load in [later]:
    pass


async def main() -> None:
    print(await load())


asyncio.run(main())

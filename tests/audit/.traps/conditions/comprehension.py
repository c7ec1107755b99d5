"""A walrus in a comprehension binds the function's name."""

import asyncio


def load() -> int:
    return 1


async def later() -> int:
    return 2


_ = [(load := one) for one in [later]]


async def main() -> None:
    print(await load())


asyncio.run(main())

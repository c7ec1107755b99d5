"""A definition in a loop with a break."""

import asyncio


def load() -> int:
    return 1


while True:

    async def load() -> int:
        return 2

    break


async def main() -> None:
    print(await load())


asyncio.run(main())

"""What is collected is handed on."""

import asyncio


async def work() -> int:
    return 2


def first(*numbers: int) -> int:
    return numbers[0]


async def main() -> None:
    print(await first(*[work()]))


asyncio.run(main())

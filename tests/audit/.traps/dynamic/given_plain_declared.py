"""A parameter that is declared as a number is given a coroutine."""

import asyncio


async def work() -> int:
    return 2


def same(number: int) -> int:
    return number


async def main(number) -> None:
    print(await same(number))


asyncio.run(main(work()))

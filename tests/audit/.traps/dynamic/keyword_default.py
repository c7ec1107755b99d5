"""A keyword is handed on by its default dictionary."""

import asyncio


async def work() -> int:
    return 2


def first(**numbers: int) -> int:
    return numbers.get("a", 1)


async def main() -> None:
    print(await first(**{"a": work()}))


asyncio.run(main())

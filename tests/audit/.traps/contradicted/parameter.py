"""What is returned is an un-annotated parameter."""

import asyncio


async def work():
    return 1


def same(value) -> int:
    return value


async def main() -> None:
    print(await same(work()))


asyncio.run(main())

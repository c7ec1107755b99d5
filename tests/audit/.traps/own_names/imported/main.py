import asyncio

from tools import sorted


def order(items):
    return sorted(items)


async def main() -> None:
    print(await order([2, 1]))


asyncio.run(main())

"""A task whose failure nobody asks for; the program goes another way then."""

import asyncio

SEEN = []


def value() -> int:
    return 1


async def use() -> None:
    await value()
    SEEN.append(1)


async def main() -> None:
    await asyncio.wait([asyncio.create_task(use())])
    print(SEEN)


asyncio.run(main())

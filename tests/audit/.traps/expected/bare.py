"""By a bare handler."""

import asyncio


def value() -> int:
    return 1


async def main() -> None:
    try:
        print(await value())
    except:
        print("synchronous")


asyncio.run(main())

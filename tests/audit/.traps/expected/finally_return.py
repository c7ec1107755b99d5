"""By `return` in `finally`."""

import asyncio


def value() -> int:
    return 1


async def use():
    try:
        await value()
        print("never")
    finally:
        return "ended"


async def main() -> None:
    print(await use())


asyncio.run(main())

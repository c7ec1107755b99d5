"""The handler stands around a `finally`."""

import asyncio


def value() -> int:
    return 1


async def use() -> int:
    try:
        return await value()
    finally:
        print("finally")


async def main() -> None:
    try:
        print(await use())
    except TypeError:
        print("plain")


asyncio.run(main())

"""The handler turns it into another error, which is handled."""

import asyncio


class Wrong(Exception):
    pass


def value() -> int:
    return 1


async def use() -> int:
    try:
        return await value()
    except Exception as error:
        raise Wrong from error


async def main() -> None:
    try:
        print(await use())
    except Wrong:
        print("wrong")


asyncio.run(main())

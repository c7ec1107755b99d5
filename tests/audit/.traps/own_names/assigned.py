"""A builtin's name is assigned."""

import asyncio


async def later(value):
    return value


int = later


def number(text):
    return int(text)


async def main() -> None:
    print(await number("1"))


asyncio.run(main())

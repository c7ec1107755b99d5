"""The builtin itself is replaced."""

import asyncio
import builtins


async def later(value):
    return value


def number(text):
    return hash(text)


async def main() -> None:
    builtins.hash = later
    print(await number("1"))


asyncio.run(main())

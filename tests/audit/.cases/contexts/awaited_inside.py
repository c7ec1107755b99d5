"""A superfluous await inside a right `async with`."""

import asyncio


def load():
    return 2


async def main():
    async with asyncio.Lock():
        assert await load() == 2  # expect: await-sync  # fix: mechanical

"""A superfluous await in the item of a right `async with`."""

import asyncio


def lock():
    return asyncio.Lock()


async def main():
    async with await lock():  # expect: await-sync  # fix: mechanical
        pass

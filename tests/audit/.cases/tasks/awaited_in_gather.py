"""A superfluous await among the arguments of gather."""

import asyncio


def delay():
    return 0


async def main():
    await asyncio.gather(asyncio.sleep(await delay()))  # expect: await-sync  # fix: mechanical

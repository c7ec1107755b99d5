"""gather takes awaitables."""

import asyncio


def load():
    return 1


async def work():
    return 2


async def main_first():
    await asyncio.gather(load(), asyncio.sleep(0))  # expect: await-sync  # fix: report-only


async def main_only():
    await asyncio.gather(load())  # expect: await-sync  # fix: report-only

"""The coroutine function is given, not the coroutine."""

import asyncio


async def load():
    return 1


async def main_task():
    await asyncio.create_task(load)  # expect: await-sync  # fix: report-only


async def main_gather():
    await asyncio.gather(load)  # expect: await-sync  # fix: report-only

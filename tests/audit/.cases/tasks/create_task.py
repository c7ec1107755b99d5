"""create_task takes a coroutine."""

import asyncio


def load():
    return 1


async def main():
    task = asyncio.create_task(load())  # expect: await-sync  # fix: report-only
    await task

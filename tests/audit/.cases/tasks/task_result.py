"""The result of a finished task."""

import asyncio


async def load():
    return 1


async def main():
    task = asyncio.create_task(load())
    await asyncio.wait([task])
    assert await task.result() == 1  # expect: await-sync  # fix: report-only

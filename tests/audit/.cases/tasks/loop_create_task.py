"""The method of the loop takes a coroutine too."""

import asyncio


def load() -> int:
    return 1


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loop.create_task(load())  # expect: await-sync  # fix: report-only

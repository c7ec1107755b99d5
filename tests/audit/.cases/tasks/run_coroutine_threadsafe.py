"""run_coroutine_threadsafe takes a coroutine."""

import asyncio


def load():
    return 1


async def main():
    asyncio.run_coroutine_threadsafe(load(), asyncio.get_running_loop())  # expect: await-sync  # fix: report-only

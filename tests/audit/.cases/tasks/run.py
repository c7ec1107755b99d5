"""asyncio.run takes a coroutine."""

import asyncio


def load():
    return 1


def main():
    asyncio.run(load())  # expect: await-sync  # fix: report-only

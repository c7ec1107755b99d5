"""shield takes an awaitable."""

import asyncio


def load():
    return 1


async def main():
    await asyncio.shield(load())  # expect: await-sync  # fix: report-only

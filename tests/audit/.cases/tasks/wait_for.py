"""wait_for takes an awaitable."""

import asyncio


def load():
    return 1


async def main():
    await asyncio.wait_for(load(), timeout=1)  # expect: await-sync  # fix: report-only

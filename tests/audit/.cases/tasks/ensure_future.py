"""ensure_future takes an awaitable."""

import asyncio


def load():
    return 1


async def main():
    await asyncio.ensure_future(load())  # expect: await-sync  # fix: report-only

"""A list of coroutines is a list: gather was meant."""

import asyncio


async def load(number):
    return number


async def main():
    coroutines = [load(1), load(2)]
    await asyncio.gather(*coroutines)
    await [load(1), load(2)]  # expect: await-sync  # fix: report-only

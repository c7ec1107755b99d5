"""as_completed takes awaitables."""

import asyncio


def load(number: int) -> int:
    return number


async def main() -> None:
    for next_done in asyncio.as_completed([load(1), load(2)]):  # expect: await-sync  # fix: report-only
        print(await next_done)

"""The methods of a queue that do not wait."""

import asyncio


async def main_put():
    queue = asyncio.Queue()
    await queue.put_nowait(1)  # expect: await-sync  # fix: mechanical
    assert queue.qsize() == 1


async def main_size():
    queue: asyncio.Queue[int] = asyncio.Queue()
    assert await queue.qsize() == 0  # expect: await-sync  # fix: mechanical

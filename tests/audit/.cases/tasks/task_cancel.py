"""Cancelling a task is synchronous."""

import asyncio


async def load() -> None:
    await asyncio.Event().wait()


async def main() -> None:
    task = asyncio.create_task(load())
    try:
        assert await task.cancel()  # expect: await-sync  # fix: mechanical
    finally:
        task.cancel()
        await asyncio.wait([task])

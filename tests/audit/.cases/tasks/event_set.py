"""Setting an event is synchronous; waiting for it is not."""

import asyncio


async def main():
    event = asyncio.Event()
    await event.set()  # expect: await-sync  # fix: mechanical
    await event.wait()

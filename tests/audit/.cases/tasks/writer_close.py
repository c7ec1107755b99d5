"""The transport's close is synchronous."""

import asyncio


async def main():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    await future.set_result(1)  # expect: await-sync  # fix: mechanical
    assert await future == 1

"""A lock of threads has no asynchronous side."""

import threading


async def main():
    async with threading.Lock():  # expect: await-sync  # fix: report-only
        pass

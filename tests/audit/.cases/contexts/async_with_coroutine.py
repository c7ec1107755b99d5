"""A coroutine function that returns a context manager: the coroutine itself is none."""

from contextlib import asynccontextmanager


@asynccontextmanager
async def opened():
    yield 1


async def connect():
    return opened()


async def main():
    async with connect() as value:  # expect: await-sync  # fix: report-only
        print(value)

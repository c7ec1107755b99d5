"""An asynchronous context manager is entered with `async with`, not awaited."""

from contextlib import asynccontextmanager


@asynccontextmanager
async def session():
    yield "session"


async def main():
    connection = await session()  # expect: await-sync  # fix: report-only
    print(connection)

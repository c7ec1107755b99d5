"""`async with` on a synchronous context manager."""

from contextlib import contextmanager


@contextmanager
def session():
    yield 1


async def main():
    async with session() as value:  # expect: await-sync  # fix: report-only
        print(value)

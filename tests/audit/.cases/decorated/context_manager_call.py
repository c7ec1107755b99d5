"""A context manager that is awaited instead of entered."""

from contextlib import contextmanager


@contextmanager
def session():
    yield "session"


async def main():
    await session()  # expect: await-sync  # fix: report-only

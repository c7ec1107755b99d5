"""Of two items, the second one is synchronous."""

from contextlib import asynccontextmanager, contextmanager


@asynccontextmanager
async def outer():
    yield 1


@contextmanager
def inner():
    yield 2


async def main():
    async with outer() as left, inner() as right:  # expect: await-sync  # fix: report-only
        print(left, right)

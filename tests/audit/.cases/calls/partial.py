"""functools.partial of a synchronous function; an object is called, not a definition: for people."""

from functools import partial


def scale(factor: int, number: int) -> int:
    return factor * number


twice = partial(scale, 2)


async def main():
    assert await twice(4) == 8  # expect: await-sync  # fix: report-only

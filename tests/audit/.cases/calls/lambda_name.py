"""A lambda that is bound to a name; an object is called, not a definition: for people."""

square = lambda number: number * number


async def main():
    assert await square(3) == 9  # expect: await-sync  # fix: report-only

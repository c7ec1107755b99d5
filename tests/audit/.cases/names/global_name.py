"""A constant of the module."""

LIMIT = 10


async def main():
    assert await LIMIT == 10  # expect: await-sync  # fix: report-only

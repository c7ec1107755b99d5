"""A generator is not awaitable, and neither is what it was meant to gather."""


def rows():
    yield 1
    yield 2


async def main():
    await rows()  # expect: await-sync  # fix: report-only

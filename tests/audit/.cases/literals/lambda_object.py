"""A lambda that makes a coroutine is itself none."""


async def load():
    return 1


async def main():
    await (lambda: load())  # expect: await-sync  # fix: report-only

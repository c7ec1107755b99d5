"""An asynchronous generator is iterated, not awaited."""


async def numbers():
    yield 1


async def main():
    await numbers()  # expect: await-sync  # fix: report-only

"""A string is not awaitable."""


async def main():
    await "done"  # expect: await-sync  # fix: report-only

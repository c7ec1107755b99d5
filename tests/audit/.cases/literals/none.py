"""None is not awaitable."""


async def main():
    await None  # expect: await-sync  # fix: report-only

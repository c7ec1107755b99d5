"""A number in parentheses."""


async def main():
    await (1 + 2)  # expect: await-sync  # fix: report-only

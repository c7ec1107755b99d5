"""The call's parentheses are missing."""


async def load():
    return 1


async def main():
    await load  # expect: await-sync  # fix: report-only

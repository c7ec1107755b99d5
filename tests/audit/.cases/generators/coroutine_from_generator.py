"""A generator expression is not awaitable."""


def load(number):
    return number


async def main():
    await (load(number) for number in [1])  # expect: await-sync  # fix: report-only

"""A list that a comprehension makes."""


def load(number):
    return number


async def main():
    await [load(n) for n in range(2)]  # expect: await-sync  # fix: report-only

"""A tuple of coroutines is a tuple."""


async def load(number):
    return number


async def main():
    first, second = load(1), load(2)
    try:
        await (first, second)  # expect: await-sync  # fix: report-only
    finally:
        first.close()
        second.close()

"""A function that is defined in the caller."""


async def main():
    def double(number):
        return number * 2

    assert await double(4) == 8  # expect: await-sync  # fix: mechanical

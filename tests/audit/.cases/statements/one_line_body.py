"""The body of the function stands on the line of its `def`."""


def one():
    return 1


async def get(): return await one()  # expect: await-sync  # fix: mechanical


async def main():
    assert await get() == 1

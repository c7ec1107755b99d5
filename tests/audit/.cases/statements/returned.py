"""In a return statement."""


def load():
    return 3


async def get():
    return await load()  # expect: await-sync  # fix: mechanical


async def main():
    assert await get() == 3

"""The last line does not end with a line break."""


def load():
    return 1


async def main():
    assert await load() == 1  # expect: await-sync  # fix: mechanical
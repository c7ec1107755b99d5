"""Lines end with CR LF."""


def load():
    return 1


async def main():
    assert await load() == 1  # expect: await-sync  # fix: mechanical

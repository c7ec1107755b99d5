"""In the branch of a conditional expression."""


def load():
    return 5


async def main_then():
    assert (await load() if True else 0) == 5  # expect: await-sync  # fix: mechanical


async def main_else():
    assert (0 if False else await load()) == 5  # expect: await-sync  # fix: mechanical


async def main_test():
    assert (1 if await load() else 0) == 1  # expect: await-sync  # fix: mechanical

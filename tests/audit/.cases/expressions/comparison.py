"""On both sides of a chain of comparisons."""


def limit():
    return 5


async def main_left():
    assert await limit() > 3  # expect: await-sync  # fix: mechanical


async def main_in_chain():
    assert 1 < await limit() < 9  # expect: await-sync  # fix: mechanical


async def main_membership():
    assert await limit() in {5}  # expect: await-sync  # fix: mechanical

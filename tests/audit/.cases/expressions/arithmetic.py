"""`await` binds tighter than any arithmetic operator."""


def two():
    return 2


async def main_power():
    assert (await two() ** 3) == 8  # expect: await-sync  # fix: mechanical


async def main_minus():
    assert -await two() == -2  # expect: await-sync  # fix: mechanical


async def main_right():
    assert 2 ** -await two() == 0.25  # expect: await-sync  # fix: mechanical


async def main_product():
    assert 3 * await two() + 1 == 7  # expect: await-sync  # fix: mechanical

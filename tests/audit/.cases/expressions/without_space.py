"""Between `await` and a parenthesis there need be no space."""


def load():
    return 5


async def main_before():
    assert [1, 2][0]if await(load())else 0  # expect: await-sync  # fix: mechanical


async def main_after():
    assert not(await(load())) == 6  # expect: await-sync  # fix: mechanical

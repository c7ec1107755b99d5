"""On the right of an augmented assignment, of an annotation and of an unpacking."""


def pair():
    return 1, 2


def one():
    return 1


async def main_augmented():
    total = 1
    total += await one()  # expect: await-sync  # fix: mechanical
    assert total == 2


async def main_annotated():
    total: int = await one()  # expect: await-sync  # fix: mechanical
    assert total == 1


async def main_unpacked():
    left, right = await pair()  # expect: await-sync  # fix: mechanical
    assert left + right == 3


async def main_rest():
    first, *rest = await pair()  # expect: await-sync  # fix: mechanical
    assert rest == [2]

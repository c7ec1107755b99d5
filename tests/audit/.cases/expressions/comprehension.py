"""In each place of a comprehension."""


def rows():
    return [1, 2]


def double(number):
    return number * 2


def odd(number):
    return number % 2 == 1


async def main_element():
    assert [await double(n) for n in [1, 2]] == [2, 4]  # expect: await-sync  # fix: mechanical


async def main_source():
    assert [n for n in await rows()] == [1, 2]  # expect: await-sync  # fix: mechanical


async def main_condition():
    assert [n for n in [1, 2] if await odd(n)] == [1]  # expect: await-sync  # fix: mechanical


async def main_set():
    assert {await double(n) for n in [1]} == {2}  # expect: await-sync  # fix: mechanical


async def main_dict():
    assert {n: await double(n) for n in [1]} == {1: 2}  # expect: await-sync  # fix: mechanical

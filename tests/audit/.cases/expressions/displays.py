"""In a list, a tuple, a set and a dictionary."""


def one():
    return 1


async def main_list():
    assert [0, await one()] == [0, 1]  # expect: await-sync  # fix: mechanical


async def main_tuple():
    pair = await one(), 2  # expect: await-sync  # fix: mechanical
    assert pair == (1, 2)


async def main_set():
    assert {await one()} == {1}  # expect: await-sync  # fix: mechanical


async def main_dict():
    assert {"a": await one()} == {"a": 1}  # expect: await-sync  # fix: mechanical

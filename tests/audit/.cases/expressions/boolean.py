"""Beside `and`, `or` and `not`."""


def ready():
    return True


async def main_and():
    assert True and await ready()  # expect: await-sync  # fix: mechanical


async def main_or():
    assert await ready() or False  # expect: await-sync  # fix: mechanical


async def main_not():
    assert (not await ready()) is False  # expect: await-sync  # fix: mechanical

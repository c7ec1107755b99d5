"""In an index and before one."""


def position():
    return 1


def table():
    return {"a": 1}


async def main_index():
    assert [5, 6][await position()] == 6  # expect: await-sync  # fix: mechanical


async def main_before():
    assert (await table())["a"] == 1  # expect: await-sync  # fix: mechanical


async def main_slice():
    assert [5, 6][await position():] == [6]  # expect: await-sync  # fix: mechanical

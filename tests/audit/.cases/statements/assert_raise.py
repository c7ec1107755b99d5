"""In `assert`, `raise` and `del`."""


def table():
    return {"a": 1}


def problem():
    return KeyError("k")


async def main_assert():
    assert await table()  # expect: await-sync  # fix: mechanical


async def main_raise():
    try:
        raise await problem()  # expect: await-sync  # fix: mechanical
    except KeyError:
        pass


async def main_del():
    del (await table())["a"]  # expect: await-sync  # fix: mechanical

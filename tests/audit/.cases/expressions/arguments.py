"""As a positional, keyword, starred and double-starred argument."""


def collect(*args, **kwargs):
    return args, kwargs


def numbers():
    return [1, 2]


def options():
    return {"a": 1}


async def main_positional():
    assert collect(await numbers()) == (([1, 2],), {})  # expect: await-sync  # fix: mechanical


async def main_keyword():
    assert collect(x=await numbers()) == ((), {"x": [1, 2]})  # expect: await-sync  # fix: mechanical


async def main_starred():
    assert collect(*await numbers()) == ((1, 2), {})  # expect: await-sync  # fix: mechanical


async def main_double_starred():
    assert collect(**await options()) == ((), {"a": 1})  # expect: await-sync  # fix: mechanical

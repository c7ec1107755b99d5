"""In the conditions of `if`, `elif` and `while`."""

left = [True, False]


def more():
    return left.pop(0)


def ready():
    return True


async def main_if():
    if await ready():  # expect: await-sync  # fix: mechanical
        return
    raise AssertionError


async def main_elif():
    if not left:
        raise AssertionError
    elif await ready():  # expect: await-sync  # fix: mechanical
        return


async def main_while():
    turns = 0
    while await more():  # expect: await-sync  # fix: mechanical
        turns += 1
    assert turns == 1

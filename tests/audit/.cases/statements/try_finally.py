"""In each part of a `try` statement."""


def step():
    return "done"


async def main_try():
    try:
        result = await step()  # expect: await-sync  # fix: mechanical
    finally:
        pass
    assert result == "done"


async def main_except():
    try:
        raise KeyError
    except KeyError:
        result = await step()  # expect: await-sync  # fix: mechanical
    assert result == "done"


async def main_else():
    try:
        result = None
    except KeyError:
        pass
    else:
        result = await step()  # expect: await-sync  # fix: mechanical
    assert result == "done"


async def main_finally():
    try:
        pass
    finally:
        result = await step()  # expect: await-sync  # fix: mechanical
    assert result == "done"

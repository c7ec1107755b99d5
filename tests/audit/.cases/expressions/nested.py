"""An await in the arguments of a call that is awaited."""


def inner(number):
    return number + 1


async def outer(number):
    return number * 2


async def main():
    assert await outer(await inner(1)) == 4  # expect: await-sync  # fix: mechanical

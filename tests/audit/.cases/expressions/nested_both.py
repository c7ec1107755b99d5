"""The outer callee and the inner one are both synchronous."""


def inner(number):
    return number + 1


def outer(number):
    return number * 2


async def main():
    assert await outer(await inner(1)) == 4  # expect: await-sync 2  # fix: mechanical

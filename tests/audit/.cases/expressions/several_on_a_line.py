"""Two superfluous awaits and a right one on the same line."""


def left():
    return 1


async def middle():
    return 2


def right():
    return 3


async def main():
    assert (await left(), await middle(), await right()) == (1, 2, 3)  # expect: await-sync 2  # fix: mechanical

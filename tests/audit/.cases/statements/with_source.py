"""The context of a `with` statement."""

from contextlib import contextmanager


@contextmanager
def opened(name):
    yield name


def name():
    return "n"


async def main():
    with opened(await name()) as value:  # expect: await-sync  # fix: mechanical
        assert value == "n"

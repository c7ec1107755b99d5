"""A second name for a function."""


def load() -> int:
    return 3


fetch = load


async def main():
    assert await fetch() == 3  # expect: await-sync  # fix: mechanical

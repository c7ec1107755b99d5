"""Arguments that are unpacked."""


def add(*numbers: int) -> int:
    return sum(numbers)


async def main():
    numbers = [1, 2]
    assert await add(*numbers, 3) == 6  # expect: await-sync  # fix: mechanical

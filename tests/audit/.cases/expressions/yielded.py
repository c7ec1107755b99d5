"""In an asynchronous generator."""


def one():
    return 1


async def numbers():
    yield await one()  # expect: await-sync  # fix: mechanical


async def main():
    assert [n async for n in numbers()] == [1]

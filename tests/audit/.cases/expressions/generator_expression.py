"""An await makes a generator expression asynchronous: without it the kind changes."""


def double(number):
    return number * 2


async def main():
    doubled = (await double(n) for n in [1, 2])  # expect: await-sync  # fix: report-only
    assert [n async for n in doubled] == [2, 4]

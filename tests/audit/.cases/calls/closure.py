"""A closure of a synchronous factory: what it makes is synchronous too; an object is called, not a definition: for people."""


def adder(amount: int):
    def add(number: int) -> int:
        return number + amount

    return add


async def main():
    assert await adder(2)(3) == 5  # expect: await-sync  # fix: report-only

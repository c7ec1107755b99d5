"""A decorated class whose method is defined by hand."""

from functools import total_ordering


@total_ordering
class Version:
    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.number == other.number

    def __lt__(self, other: "Version") -> bool:
        return self.number < other.number

    def next(self) -> "Version":
        return Version(self.number + 1)


async def main() -> None:
    assert await Version(1).next() == Version(2)  # expect: await-sync  # fix: mechanical

"""A generic function returns what it is given: a string."""

from typing import TypeVar

T = TypeVar("T")


def first(items: list[T]) -> T:
    return items[0]


async def main() -> None:
    assert await first(["a"]) == "a"  # expect: await-sync  # fix: mechanical

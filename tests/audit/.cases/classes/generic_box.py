"""A generic container of numbers."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Box(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item

    def get(self) -> T:
        return self.item


async def main() -> None:
    assert await Box(3).get() == 3  # expect: await-sync  # fix: mechanical

"""An abstract method, and every subclass has the same colour."""

from abc import ABC, abstractmethod


class Shape(ABC):
    @abstractmethod
    def area(self) -> int: ...


class Square(Shape):
    def area(self) -> int:
        return 4


async def measure(shape: Shape) -> int:
    return await shape.area()  # expect: await-sync  # fix: mechanical


async def main() -> None:
    assert await measure(Square()) == 4

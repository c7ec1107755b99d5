"""A dataclass has a synchronous constructor that nobody wrote."""

from dataclasses import dataclass


@dataclass
class Point:
    x: int
    y: int


async def main():
    point = await Point(1, 2)  # expect: await-sync  # fix: mechanical
    assert point.y == 2

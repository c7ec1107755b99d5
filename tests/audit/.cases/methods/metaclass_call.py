"""An enumeration is looked up by its value."""

from enum import Enum


class Level(Enum):
    LOW = 1


async def main():
    assert await Level(1) is Level.LOW  # expect: await-sync  # fix: mechanical

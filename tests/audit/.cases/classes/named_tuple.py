"""An instance of a named tuple."""

from typing import NamedTuple


class Pair(NamedTuple):
    left: int
    right: int


async def main():
    pair = await Pair(1, 2)  # expect: await-sync  # fix: mechanical
    assert pair.left == 1

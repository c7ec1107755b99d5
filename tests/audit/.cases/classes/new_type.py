"""A NewType of an integer."""

from typing import NewType

UserId = NewType("UserId", int)


def current() -> UserId:
    return UserId(5)


async def main() -> None:
    assert await current() == 5  # expect: await-sync  # fix: mechanical

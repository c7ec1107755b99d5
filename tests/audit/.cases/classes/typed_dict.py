"""A typed dictionary is a dictionary."""

from typing import TypedDict


class Row(TypedDict):
    id: int


def row(number: int) -> Row:
    return {"id": number}


async def main() -> None:
    assert (await row(1))["id"] == 1  # expect: await-sync  # fix: mechanical

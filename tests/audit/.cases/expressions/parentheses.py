"""Parentheses around the whole expression, around the operand, and around both."""


def load() -> str:
    return "text"


async def main_outside() -> None:
    assert (await load()).upper() == "TEXT"  # expect: await-sync  # fix: mechanical


async def main_inside() -> None:
    assert await (load()) == "text"  # expect: await-sync  # fix: mechanical


async def main_both() -> None:
    assert (await (load()))[0] == "t"  # expect: await-sync  # fix: mechanical

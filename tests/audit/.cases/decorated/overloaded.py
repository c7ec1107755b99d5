"""Both overloads are synchronous."""

from typing import overload


@overload
def parse(value: str) -> int: ...
@overload
def parse(value: bytes) -> float: ...
def parse(value: str | bytes) -> int | float:
    return int(value) if isinstance(value, str) else float(value)


async def main_str() -> None:
    assert await parse("1") == 1  # expect: await-sync  # fix: mechanical


async def main_bytes() -> None:
    assert await parse(b"1") == 1.0  # expect: await-sync  # fix: mechanical

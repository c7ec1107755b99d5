"""A check of the type leaves only what is not awaitable."""

from collections.abc import Awaitable


async def use(value: int | Awaitable[int]) -> int:
    if isinstance(value, int):
        return await value  # expect: await-sync  # fix: report-only
    return await value


async def main() -> None:
    assert await use(3) == 3

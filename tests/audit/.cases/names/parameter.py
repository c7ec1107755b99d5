"""A parameter whose type is not awaitable."""


async def use(value: int) -> int:
    return await value  # expect: await-sync  # fix: report-only


async def main() -> None:
    assert await use(3) == 3

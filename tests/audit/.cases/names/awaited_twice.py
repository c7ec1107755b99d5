"""The result of an await has the name, and is awaited again."""


async def load() -> int:
    return 1


async def main() -> None:
    value = await load()
    assert await value == 1  # expect: await-sync  # fix: report-only

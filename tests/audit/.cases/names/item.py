"""An item of a dictionary of numbers."""


async def main():
    table: dict[str, int] = {"a": 1}
    assert await table["a"] == 1  # expect: await-sync  # fix: report-only

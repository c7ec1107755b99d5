"""A method of a dictionary that changes it."""


async def main():
    table = {"a": 1}
    await table.update({"b": 2})  # expect: await-sync  # fix: mechanical
    assert len(table) == 2

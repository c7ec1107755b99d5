"""A method of a string."""


async def main():
    assert await "a,b".split(",") == ["a", "b"]  # expect: await-sync  # fix: mechanical

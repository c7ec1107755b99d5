"""A builtin function of C is never awaitable."""


async def main():
    size = await len([1, 2])  # expect: await-sync  # fix: mechanical
    assert size == 2

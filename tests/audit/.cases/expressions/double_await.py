"""Two awaits of what is awaitable once."""


async def load():
    return 3


async def main():
    assert await (await load()) == 3  # expect: await-sync  # fix: report-only

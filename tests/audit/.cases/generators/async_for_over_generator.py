"""`async for` over a synchronous generator."""


def rows():
    yield 1


async def main():
    async for row in rows():  # expect: await-sync  # fix: report-only
        print(row)

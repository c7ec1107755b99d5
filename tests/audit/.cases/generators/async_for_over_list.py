"""`async for` over a list."""


def rows():
    return [1, 2]


async def main():
    async for row in rows():  # expect: await-sync  # fix: report-only
        print(row)

"""`async for` over a coroutine that returns a list: `await` is missing before it."""


async def rows():
    return [1, 2]


async def main():
    async for row in rows():  # expect: await-sync  # fix: report-only
        print(row)

"""An asynchronous comprehension over a range."""


async def main():
    print([number async for number in range(3)])  # expect: await-sync  # fix: report-only

"""A file is a synchronous context manager."""


async def main():
    async with open(__file__) as file:  # expect: await-sync  # fix: report-only
        print(file.name)

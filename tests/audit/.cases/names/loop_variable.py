"""What a loop takes from a list of numbers."""


async def main():
    for number in [1, 2]:
        await number  # expect: await-sync  # fix: report-only

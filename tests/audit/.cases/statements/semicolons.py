"""Several statements on one line."""


def one():
    return 1


async def main():
    a = 1; b = await one(); assert a == b  # expect: await-sync  # fix: mechanical

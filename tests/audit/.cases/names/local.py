"""A name that holds the result of a synchronous call."""


def load():
    return 1


async def main():
    value = load()
    assert await value == 1  # expect: await-sync  # fix: report-only

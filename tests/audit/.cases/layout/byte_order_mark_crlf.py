"""A byte order mark, and CR LF at the end of each line."""


def load():
    return 1


async def main():
    first = await load()  # expect: await-sync  # fix: mechanical
    assert first == 1

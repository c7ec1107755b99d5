"""The result gets its name inside the condition."""


def load():
    return [1]


async def main():
    if rows := await load():  # expect: await-sync  # fix: mechanical
        assert rows == [1]

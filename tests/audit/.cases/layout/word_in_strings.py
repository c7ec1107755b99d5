"""The word stands in strings and comments too."""


def load(text):
    return text


async def main():
    # await load() is wrong
    assert "await load()" == await load("await load()")  # expect: await-sync  # fix: mechanical

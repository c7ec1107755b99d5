"""In the target of an assignment."""


def table():
    return store


store = {}


async def main():
    (await table())["a"] = 1  # expect: await-sync  # fix: mechanical
    assert store == {"a": 1}

"""A comment stands between `await` and its operand."""


def load():
    return 1


async def main():
    value = (
        await  # expect: await-sync  # fix: mechanical
        # from the cache
        load()
    )
    assert value == 1

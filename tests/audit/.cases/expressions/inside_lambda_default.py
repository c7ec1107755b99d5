"""In the default of a lambda and of a function, which the caller evaluates."""


def one():
    return 1


async def main_lambda():
    get = lambda value=await one(): value  # expect: await-sync  # fix: mechanical
    assert get() == 1


async def main_function():
    def get(value=await one()):  # expect: await-sync  # fix: mechanical
        return value

    assert get() == 1

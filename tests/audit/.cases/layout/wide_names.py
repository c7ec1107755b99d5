"""The function's name is not ASCII."""


def größe(länge):
    return länge


async def main():
    assert await größe(3) == 3  # expect: await-sync  # fix: mechanical

"""A function that calls itself, awaited from outside."""


def depth(tree):
    if not tree:
        return 0
    return 1 + max(depth(branch) for branch in tree)


async def main():
    assert await depth([[], [[]]]) == 2  # expect: await-sync  # fix: mechanical

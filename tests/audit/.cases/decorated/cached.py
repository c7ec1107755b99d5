"""functools.cache over a function without annotations."""

from functools import cache


@cache
def settings(name):
    return {"name": name}


async def main():
    assert (await settings("a"))["name"] == "a"  # expect: await-sync  # fix: mechanical

"""The function stands in another module."""

from .store import load


async def main():
    assert (await load("a"))["key"] == "a"  # expect: await-sync  # fix: mechanical

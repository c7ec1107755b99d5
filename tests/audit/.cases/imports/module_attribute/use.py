"""The function is reached through its module."""

from . import store


async def main() -> None:
    assert await store.load("a") == "A"  # expect: await-sync  # fix: mechanical

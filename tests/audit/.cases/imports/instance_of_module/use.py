"""One instance that all modules share."""

from .registry import registry


async def main():
    assert await registry.get("a") == "a"  # expect: await-sync  # fix: mechanical

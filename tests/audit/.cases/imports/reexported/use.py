"""The package hands on what an inner module defines."""

from imports.reexported import load


async def main():
    assert await load() == 7  # expect: await-sync  # fix: mechanical

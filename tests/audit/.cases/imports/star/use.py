"""The function comes with a star import."""

from .names import *


async def main():
    assert await load() == "loaded"  # expect: await-sync  # fix: mechanical

"""Functions of the standard library that return at once."""

import json
import os.path


async def main_loads():
    value = await json.loads("[1]")  # expect: await-sync  # fix: mechanical
    assert value == [1]


async def main_join():
    name = await os.path.join("a", "b")  # expect: await-sync  # fix: mechanical
    assert name

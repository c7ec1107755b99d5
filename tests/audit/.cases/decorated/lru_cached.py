"""functools.lru_cache over a synchronous function."""

from functools import lru_cache


@lru_cache(maxsize=8)
def settings(name: str) -> dict[str, str]:
    return {"name": name}


async def main():
    assert (await settings("a"))["name"] == "a"  # expect: await-sync  # fix: mechanical

"""A method of an instance that was made one line before."""


class Cache:
    def get(self, key: str) -> str:
        return key


async def main():
    cache = Cache()
    assert await cache.get("a") == "a"  # expect: await-sync  # fix: mechanical

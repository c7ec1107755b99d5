"""The import stands inside the caller, as it does to break a circle."""


async def main():
    from .store import load

    assert await load() == 1  # expect: await-sync  # fix: mechanical

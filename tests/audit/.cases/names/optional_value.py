"""Neither None nor the other member is awaitable."""


def find(key: str) -> str | None:
    return {"a": "b"}.get(key)


async def main() -> None:
    assert await find("a") == "b"  # expect: await-sync  # fix: mechanical

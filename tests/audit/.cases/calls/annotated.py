"""A function that says what it returns."""


def count(text: str) -> int:
    return len(text.split())


async def main() -> None:
    words = await count("a b c")  # expect: await-sync  # fix: mechanical
    assert words == 3

"""No member of the union is awaitable."""


def parse(text: str) -> int | str | None:
    return int(text) if text.isdigit() else text


async def main() -> None:
    assert await parse("1") == 1  # expect: await-sync  # fix: mechanical

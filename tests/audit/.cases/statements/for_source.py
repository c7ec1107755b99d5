"""The source of a `for` loop."""


def rows() -> list[int]:
    return [1, 2]


async def main() -> None:
    seen = []
    for row in await rows():  # expect: await-sync  # fix: mechanical
        seen.append(row)
    assert seen == [1, 2]

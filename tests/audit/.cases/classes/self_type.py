"""A fluent method that is annotated with Self."""

from typing import Self


class Builder:
    def with_name(self, name: str) -> Self:
        self.name = name
        return self


async def main() -> None:
    builder = await Builder().with_name("a")  # expect: await-sync  # fix: mechanical
    assert builder.name == "a"

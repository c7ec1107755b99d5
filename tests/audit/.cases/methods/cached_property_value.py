"""functools.cached_property is read like an attribute."""

from functools import cached_property


class Report:
    @cached_property
    def lines(self) -> list[str]:
        return ["a"]


async def main():
    assert await Report().lines == ["a"]  # expect: await-sync  # fix: report-only

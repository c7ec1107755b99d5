"""functools.singledispatch over synchronous functions; decorated: for people, unless two engines agree."""

from functools import singledispatch


@singledispatch
def show(value: object) -> str:
    return "object"


@show.register
def _(value: int) -> str:
    return "int"


async def main() -> None:
    assert await show(1) == "int"  # expect: await-sync  # fix: report-only

"""A decorator turns a coroutine function into a synchronous one; decorated: for people, unless two engines agree."""

from collections.abc import Callable, Coroutine
from typing import Any


def blocking(function: Callable[[], Coroutine[Any, Any, int]]) -> Callable[[], int]:
    def wrapper() -> int:
        coroutine = function()
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return int(stop.value)
        raise AssertionError

    return wrapper


@blocking
async def load() -> int:
    return 4


async def main() -> None:
    assert await load() == 4  # expect: await-sync  # fix: report-only

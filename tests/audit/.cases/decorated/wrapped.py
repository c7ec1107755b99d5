"""A decorator that keeps the signature with functools.wraps and ParamSpec; decorated: for people, unless two engines agree."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def logged(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return wrapper


@logged
def load(key: str) -> str:
    return key


async def main() -> None:
    assert await load("a") == "a"  # expect: await-sync  # fix: report-only

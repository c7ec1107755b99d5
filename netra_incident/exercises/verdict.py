"""An exercise, and what becomes of an answer to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and why; `None` for one that is not given yet.

    It is true only if the answer is right. Its representation holds no time and no path.
    """

    right: bool | None
    why: str

    def __bool__(self) -> bool:
        """Whether the answer is right."""
        return bool(self.right)

    def __repr__(self) -> str:
        """Say whether, and why."""
        return f"{ {True: 'Right.', False: 'Not yet.', None: 'To do.'}[self.right] } {self.why}"


def right(why: str) -> Verdict:
    """Return the verdict on a right answer."""
    return Verdict(True, why)


def wrong(why: str) -> Verdict:
    """Return the verdict on a wrong answer; `why` says what was expected, what came, what next."""
    return Verdict(False, why)


Judge = Callable[[Any], Verdict]
"""What tells a right answer from a wrong one, by measuring."""


@dataclass(frozen=True)
class Exercise:
    """Something to find out or to write; `page` is the number of the page that asks for it."""

    name: str
    page: str
    task: str
    judge: Judge


def measured(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine, also from inside a notebook.

    A notebook's event loop is already at work, so this one gets a thread of its own; whoever
    calls waits for it. Raises what the coroutine raises.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def listed(items: object) -> str:
    """Return the items of a collection in their order, separated by commas."""
    assert isinstance(items, (list, tuple, set, frozenset, dict))
    return ", ".join(str(item) for item in (sorted(items) if isinstance(items, set) else items))

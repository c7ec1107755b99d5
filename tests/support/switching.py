"""Threads that take turns in the middle of everything, so that what they must not share shows."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERVAL_S = 1e-5


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads take turns every `INTERVAL_S`, and in the garbage collector too.

    It may run wherever an object is made, and so do finalizers and callbacks in Python: Hypothesis
    has such a callback.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(INTERVAL_S)
    gc.callbacks.append(_take_time)
    try:
        yield
    finally:
        gc.callbacks.remove(_take_time)
        sys.setswitchinterval(before)


def _take_time(_phase: str, _info: dict[str, int]) -> None:
    for _ in range(20):
        pass

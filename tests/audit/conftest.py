"""What several tests of the audit share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def small_heap() -> Iterator[None]:
    """Leave what is there already out of the collections that each case ends with."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()

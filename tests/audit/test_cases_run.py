"""Each case is executed: its marked lines really misbehave, and no other line does."""

from __future__ import annotations

from pathlib import Path

import pytest
from colour_cases import CASES, case_files, marks, misbehaves

FILES = case_files()


pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CASES)))
def test_what_is_marked_misbehaves_and_nothing_else(path: Path) -> None:
    assert misbehaves(path) == {(mark.kind, mark.path, mark.line) for mark in marks(path)}

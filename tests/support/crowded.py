"""A tree with all that could get in the way of its package."""

from __future__ import annotations

from pathlib import Path

import pytest

OTHERS = (
    *("conftest", "tests/conftest", "tests/test_it"),  # what pytest looks for
    *("sitecustomize", "json", "click", "pytest"),  # Python's and other people's
    *("await_audit", "netra_incident", "plain_client"),  # ours
)


@pytest.fixture(scope="module")
def crowded(trees: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree at `buggy`, its package a link, that holds all that could get in the way."""
    folder = tmp_path_factory.mktemp("crowded") / "ein Baum = ü"
    (folder / "tests").mkdir(parents=True)
    (folder / "netra_ws").symlink_to(trees["buggy"] / "netra_ws")
    for name in OTHERS:
        (folder / f"{name}.py").write_text(f"raise SystemExit('the folder brought {name}')\n")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    return folder

"""What is written about the project is true of it."""

import re
from pathlib import Path

from packages import sources

import netra_ws
from netra_incident.case import CASES, told_case

ROOT = Path(__file__).parents[2]


def test_the_public_names_are_sorted_and_exist() -> None:
    assert netra_ws.__all__ == sorted(netra_ws.__all__)
    assert all(hasattr(netra_ws, name) for name in netra_ws.__all__)


def test_only_the_case_names_its_incident() -> None:
    number = told_case().id
    for path in sources():
        if CASES not in path.parents:
            assert number not in path.read_text(encoding="utf-8"), path


def test_no_source_names_a_test() -> None:
    """A test says what it guards; a source that says it, too, would soon say something else."""
    for path in sources():
        named = re.findall(r"tests/\w+/\w+\.py", path.read_text(encoding="utf-8"))
        assert named == [], path

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


def test_every_guard_that_is_named_exists() -> None:
    """A docstring that says which test guards it must not lie."""
    named: set[tuple[str, str]] = set()
    for path in sources():
        words = " ".join(path.read_text(encoding="utf-8").split())
        named |= set(re.findall(r"(tests/\w+/\w+\.py)(?:::(\w+))?", words))
    assert len(named) > 30
    for module, test in sorted(named):
        assert (ROOT / module).is_file(), module
        source = (ROOT / module).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in source, f"{module}::{test}"

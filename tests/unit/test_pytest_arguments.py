"""The value of an option of ours is not taken for a path."""

from __future__ import annotations

import pytest

from netra_incident.pytest_arguments import joined


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--tree a tests", "--tree=a tests"),
        ("tests --revision buggy -q", "tests --revision=buggy -q"),
        ("--tree a --tree b", "--tree=a --tree=b"),
        ("--tree=a tests", "--tree=a tests"),
        ("--tree -q", "--tree -q"),
        ("tests --tree", "tests --tree"),
        ("--trees a -p tree", "--trees a -p tree"),
        ("-- --tree a", "-- --tree a"),
        ("", ""),
    ],
)
def test_a_value_is_joined_to_its_option(given: str, expected: str) -> None:
    assert joined(given.split()) == expected.split()


@pytest.mark.parametrize("value", ["", "a folder", "a=b", "ü"])
def test_any_value_stays_what_it_is(value: str) -> None:
    assert joined(["--tree", value]) == [f"--tree={value}"]

"""The figure of the tools: what it states follows from the outcomes alone."""

from __future__ import annotations

from netra_incident.figures import which_tool
from netra_incident.measuring.matrix import Outcome, Row

KINDS = ("annotated", "bare")


def row(tool: str, *found: int, version: str | None = "1.0", says_why: bool = False) -> Row:
    outcomes = tuple(Outcome(number, 0, says_why) for number in found)
    return Row(tool, version, None if version is None else 1.25, outcomes)


def test_it_says_how_many_tools_see_all_of_it() -> None:
    rows = [row("one", 4, 4), row("two", 4, 0), row("three", 3, 0, says_why=True)]
    picture = which_tool(rows, KINDS, 4)
    assert picture.facts == (
        "one: annotated 4 of 4; bare 4 of 4",
        "two: annotated 4 of 4; bare nothing",
        "three: annotated 3 of 4; bare says it cannot see",
    )
    (title, *_) = (text.get_text().replace("\n", " ") for text in picture.figure.texts)
    assert title == "Seen by 2 of 3 tools where annotated, by 1 where bare"


def test_what_is_not_installed_has_found_neither_something_nor_nothing() -> None:
    picture = which_tool([row("one", 4, 4), row("absent", version=None)], KINDS, 4)
    assert picture.facts[1] == "absent: not installed"
    assert "Seen by 1 of 1 tools" in picture.figure.texts[0].get_text()


def test_versions_and_times_are_in_the_picture_alone() -> None:
    picture = which_tool([row("one", 4, 4)], KINDS, 4)
    assert "1.25" not in repr(picture)
    assert not any("1.0" in fact for fact in picture.facts)
    assert any(
        "1.0, 1.2 s" in text.get_text() for axes in picture.figure.axes for text in axes.texts
    )

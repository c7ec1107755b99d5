"""The README's table says what the last whole soak measured of the faults that the suite has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fault_table import (
    README,
    PartialSoakError,
    declared,
    keep,
    read_results,
    results,
    shown,
    table,
)


def test_the_readme_shows_the_results_of_the_last_soak() -> None:
    assert shown(README.read_text(encoding="utf-8")) == table(read_results())


def test_each_fault_has_a_row_and_each_row_a_fault() -> None:
    rows = [(row["fault"], row["promise"]) for row in read_results()["faults"]]
    assert rows == list(declared().items())


def test_each_row_says_what_was_measured() -> None:
    for row in read_results()["faults"]:
        assert row["measured"], row["fault"]
        assert row["facts"], row["fault"]


def test_the_mark_of_a_fault_is_as_the_source_says(request: pytest.FixtureRequest) -> None:
    marks = [item.get_closest_marker("fault") for item in request.session.items]
    for mark in filter(None, marks):
        assert declared()[mark.args[0]] == mark.kwargs["promise"]


def measurements(**more: str) -> dict[str, dict[str, Any]]:
    names = declared()
    return {name: {"measured": f"all of | {name}", "facts": {"n": 1}} for name in names} | {
        name: {"measured": sentence, "facts": {}} for name, sentence in more.items()
    }


def test_a_whole_soak_is_kept_and_shown(tmp_path: Path) -> None:
    kept, readme = tmp_path / "faults.json", tmp_path / "README.md"
    readme.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    whole = results(measurements(), python="3.0", cpus=1)
    keep(whole, kept, readme)
    assert read_results(kept) == whole
    text = readme.read_text(encoding="utf-8")
    assert shown(text) == table(whole)
    assert shown(text).count("\n| ") == 2 + len(declared())
    assert text.replace(shown(text), "") == README.read_text(encoding="utf-8").replace(
        shown(README.read_text(encoding="utf-8")), ""
    )


def test_a_soak_with_a_failure_is_not_kept() -> None:
    with pytest.raises(PartialSoakError, match="not passed: test_x"):
        results(measurements(), ["test_x"])


def test_a_soak_that_left_out_a_fault_is_not_kept() -> None:
    for name in declared():
        measured = measurements()
        del measured[name]
        for partial in (measured, measurements(**{name: ""})):
            with pytest.raises(PartialSoakError) as raised:
                results(partial)
            assert f"nothing measured of: {name}\n" in str(raised.value)


def test_a_fault_has_one_test(tmp_path: Path) -> None:
    mark = '@pytest.mark.fault("x", promise="y")\ndef test_{}(): ...\n'
    (tmp_path / "test_a.py").write_text(mark.format("a"))
    assert declared(tmp_path) == {"x": "y"}
    (tmp_path / "test_b.py").write_text(mark.format("b"))
    declared.cache_clear()
    with pytest.raises(ValueError, match="expected one test for the fault 'x'"):
        declared(tmp_path)

"""The last whole soak measured each fault that the suite has; what is not whole is not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fault_table import PartialSoakError, declared, keep, read_results, results


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


def test_a_whole_soak_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "faults.json"
    whole = results(measurements(), python="3.0", cpus=1)
    keep(whole, kept)
    assert read_results(kept) == whole


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

"""The judge of a bisection, and the test doubles that hid the cause from tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from netra_incident.case import told_case
from netra_incident.history.checkout import scratch_checkout
from netra_incident.proof.bisection import BAD, GOOD, SKIP, bisect, judge
from netra_incident.proof.doubles import compare_doubles
from netra_ws.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


def test_the_judge_knows_good_bad_and_neither(broken: Path) -> None:
    with scratch_checkout(told_case().fixed) as tree:
        assert judge(told_case(), tree, ROOT) == GOOD
        (tree / "netra_ws" / "metrics.py").write_text("def broken(:\n")
        assert judge(told_case(), tree, ROOT) == SKIP
    assert judge(told_case(), broken, ROOT) == BAD


def test_without_the_reproduction_there_is_no_bisection(broken: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run this in a checkout of the project"):
        bisect(told_case(), broken, "release-1", "buggy", tmp_path)
    assert not (broken / ".git" / "BISECT_LOG").exists()


def test_only_one_double_hides_the_bug() -> None:
    case = told_case()
    outcomes = compare_doubles([case.before, case.buggy, case.fixed]).outcomes
    assert {name for name, outcome in outcomes["buggy"].items() if outcome == "passed"} == {
        "AsyncMock()"
    }
    assert outcomes["buggy"]["no double"] == "TypeError"
    for healthy in ("before", "fixed"):
        assert outcomes[healthy]["no double"] == outcomes[healthy]["patch(…)"] == "passed"

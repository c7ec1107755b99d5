"""When a verification succeeds, and when it must not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from netra_incident.case import told_case
from netra_incident.proof import suite
from netra_incident.proof.judgement import Judgement
from netra_incident.proof.suite import Run
from netra_incident.proof.verification import Verification

ERROR = "TypeError at netra_ws/routes/websocket_ssot.py:25 in create: return await get()"
FILES = [category.file for category in told_case().categories]
FAILED = [
    suite.Test(file, "test_it", "failed", "closed 1011", "fail_to_pass", r"1011[\s\S]*TypeError at",
         seen={"error": (ERROR,)})
    for file in FILES
]  # fmt: skip
PASSED = [replace(test, outcome="passed", words="", seen={}) for test in FAILED]
DIRECT = suite.Test(FILES[0], "test_direct", "passed", mark="pass_to_pass", fails_on="before")


def problems(broken: Iterable[suite.Test], mended: Iterable[suite.Test]) -> list[str]:
    return [
        str(item)
        for item in Verification(told_case(), Run(tuple(broken)), Run(tuple(mended))).problems()
    ]


def test_failing_for_the_reason_and_passing_after_is_success() -> None:
    assert problems([*FAILED, DIRECT], [*PASSED, DIRECT]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": "passed"}, "expected a failure, got passed"),
        ({"outcome": "error"}, "expected a failure, got error"),
        ({"outcome": "skipped"}, "expected a failure, got skipped"),
        ({"words": "Failed: Timeout (>60.0s) from pytest-timeout."}, "got: Failed: Timeout"),
        ({"words": "ModuleNotFoundError: no module"}, "got: ModuleNotFoundError"),
        ({"seen": {}}, "got: closed 1011"),
        ({"mark": ""}, "expected a mark"),
        ({"reason": ""}, "expected a failure for //"),
    ],
)
def test_on_buggy_only_a_failure_for_the_reason_counts(
    change: dict[str, object], words: str
) -> None:
    (problem, *more) = problems([replace(FAILED[0], **change), *FAILED[1:]], PASSED)
    assert words in problem
    assert not more


@pytest.mark.parametrize("outcome", ["failed", "error", "skipped"])
def test_on_fixed_everything_must_pass(outcome: str) -> None:
    for broken, mended in (
        (FAILED, [replace(PASSED[0], outcome=outcome), *PASSED[1:]]),
        ([*FAILED, DIRECT], [*PASSED, replace(DIRECT, outcome=outcome)]),
        ([*FAILED, replace(DIRECT, outcome=outcome)], [*PASSED, DIRECT]),
    ):
        (problem,) = problems(broken, mended)
        assert f"expected to pass, got {outcome}" in problem


def test_a_category_without_a_fail_to_pass_test_proves_nothing() -> None:
    (problem,) = problems(FAILED[1:], PASSED[1:])
    assert problem == f"on fixed: {FILES[0]}: expected at least one fail-to-pass test, found none"


def test_a_test_that_is_there_on_one_side_only_is_a_problem() -> None:
    (problem,) = problems([*FAILED, DIRECT], PASSED)
    assert "expected the same tests on both" in problem


def test_tests_that_could_not_run_are_a_problem() -> None:
    verification = Verification(told_case(), Run((), said="SyntaxError"), Run(tuple(PASSED)))
    assert "on buggy: all tests: could not run: SyntaxError" in map(str, verification.problems())


def test_the_document_has_swe_benchs_lists() -> None:
    broken, mended = Run((*FAILED, DIRECT)), Run((*PASSED, DIRECT))
    document = Verification(told_case(), broken, mended).as_json()
    assert document["FAIL_TO_PASS"] == [test.id for test in FAILED]
    assert document["PASS_TO_PASS"] == [DIRECT.id]


def test_the_table_puts_what_was_seen_beside_what_was_expected() -> None:
    seen = {"error": (ERROR, ERROR.replace("25", "39")), "close_code": ("1011",)}
    tests = [replace(test, seen=seen) for test in FAILED]
    text = repr(Verification(told_case(), Run(tuple(tests)), Run(tuple(PASSED))).before)
    assert "TypeError at websocket_ssot.py:25, 39" in text
    assert "close code 1011" in text
    for category in told_case().categories:
        assert category.name in text
        assert category.before.split()[0] in text


# Attempts that are no fix


def test_an_attempt_is_a_fix_only_if_every_test_passed() -> None:
    assert Judgement("all", Run(tuple(PASSED))).is_fix
    assert not Judgement("none", Run(())).is_fix
    for outcome in ("failed", "error", "skipped"):
        run = Run((*PASSED[1:], replace(PASSED[0], outcome=outcome)))
        assert not Judgement(outcome, run).is_fix


def test_only_a_failure_catches() -> None:
    for outcome, caught in (("failed", 1), ("error", 0), ("skipped", 0)):
        run = Run((*PASSED[1:], replace(PASSED[0], outcome=outcome)))
        assert len(Judgement(outcome, run).caught_by) == caught

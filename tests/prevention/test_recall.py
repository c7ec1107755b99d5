"""How much the audit finds of what the cases show, what it finds wrongly, what the fix mends."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import colour_cases
import pytest
from colour_cases import CASES, Mark, case_files, marks, misbehaves

from await_audit.audit import audit
from await_audit.editing.fix import FileFix, propose
from await_audit.finding import Finding, Kind, Report

AWAITS_RECALL, UNAWAITED_RECALL, MENDED = 0.97, 0.80, 0.97
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
LEAST_CASES, LEAST_MENDED = 150, 90

pytestmark = pytest.mark.usefixtures("small_heap")


@dataclass
class Judged:
    """One audit of all cases, and one fix of what it found."""

    report: Report
    fixes: list[FileFix]

    @cached_property
    def expected(self) -> list[Mark]:
        return [mark for path in case_files() for mark in marks(path)]

    def found(self, mark: Mark) -> list[Finding]:
        return [one for one in self.report.findings if _is_of(one, mark)]

    def share(self, kind: Kind) -> tuple[int, int]:
        """Return how many marks of a kind are found, and how many there are."""
        of_kind = [mark for mark in self.expected if mark.kind == kind]
        found = sum(min(mark.times, len(self.found(mark))) for mark in of_kind)
        return found, sum(mark.times for mark in of_kind)


def _is_of(finding: Finding, mark: Mark) -> bool:
    lines = range(finding.span.line, finding.span.end_line + 1)
    return (finding.path, finding.kind) == (mark.path, mark.kind) and any(
        mark.line <= line <= mark.end_line for line in lines
    )


@pytest.fixture(scope="module")
def judged() -> Judged:
    report = audit([CASES], root=CASES)
    return Judged(report, propose(report))


def test_there_are_enough_cases_clean_ones_included() -> None:
    counts = Counter(len(marks(path)) > 0 for path in case_files())
    assert sum(counts.values()) >= LEAST_CASES
    assert counts[False] >= 10


def test_needless_awaits_are_found(judged: Judged) -> None:
    found, of = judged.share(Kind.AWAIT_SYNC)
    assert found / of >= AWAITS_RECALL


def test_coroutines_that_nobody_awaits_are_found(judged: Judged) -> None:
    found, of = judged.share(Kind.UNAWAITED)
    assert found / of >= UNAWAITED_RECALL


def test_the_readme_says_what_is_measured(judged: Judged) -> None:
    awaits, unawaited = judged.share(Kind.AWAIT_SYNC), judged.share(Kind.UNAWAITED)
    mechanical = [mark for mark in judged.expected if mark.fix == "mechanical"]
    mended = {(fix.path, line) for fix in judged.fixes for line in _changed(fix)}
    done = sum(bool(_lines(mark) & mended) for mark in mechanical)
    for row in (
        f"The tests hold {len(case_files())} small modules",
        f"| needless awaits | {awaits[0]} of {awaits[1]} | 0 |",
        f"| coroutines that nobody awaits | {unawaited[0]} of {unawaited[1]} | 0 |",
        f"| mechanical fixes | {done} of {len(mechanical)} | 0 |",
    ):
        assert row in README


def test_nothing_is_found_that_is_right(judged: Judged) -> None:
    false = [
        one
        for one in judged.report.findings
        if not any(_is_of(one, mark) for mark in judged.expected)
    ]
    assert false == []
    assert judged.report.unjudged == ()


def test_what_is_mechanical_is_mended_and_nothing_else(judged: Judged) -> None:
    mechanical = [mark for mark in judged.expected if mark.fix == "mechanical"]
    mended = {(fix.path, line) for fix in judged.fixes for line in _changed(fix)}
    done = [mark for mark in mechanical if _lines(mark) & mended]
    assert len(done) / len(mechanical) >= MENDED
    assert mended <= {place for mark in mechanical for place in _lines(mark)}


def _lines(mark: Mark) -> set[tuple[Path, int]]:
    return {(mark.path, line) for line in range(mark.line, mark.end_line + 1)}


def _changed(fix: FileFix) -> set[int]:
    """Return the numbers of the lines that a fix changed."""
    before, after = fix.before.splitlines(), fix.after.splitlines()
    assert len(before) == len(after)
    return {at for at, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]}


def test_a_mended_case_runs_as_its_author_meant(
    judged: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each case of which all that was wrong is mended is executed again."""
    copy = tmp_path / "cases"
    shutil.copytree(CASES, copy)
    monkeypatch.setattr(colour_cases, "CASES", copy)
    wrong = Counter(mark.path for mark in judged.expected)
    ran = 0
    for fix in judged.fixes:
        if fix.changed and not fix.left and len(_changed(fix)) == wrong[fix.path]:
            path = copy / fix.path.relative_to(CASES)
            path.write_bytes(fix.after)
            assert misbehaves(path) == set(), path
            ran += 1
    assert ran > LEAST_MENDED

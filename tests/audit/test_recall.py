"""How much the audit finds of what the cases show, what it finds wrongly, what the fix mends."""

from __future__ import annotations

import gc
import shutil
from collections import Counter
from pathlib import Path

import colour_cases
import pytest
from colour_cases import CASES, case_files, marks, misbehaves
from recall import Judged, changed, judge, lines

from await_audit.finding import Kind

AWAITS_RECALL, UNAWAITED_RECALL, MENDED = 0.97, 0.80, 0.96
LEAST_CASES, LEAST_MENDED = 150, 90

pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judge()


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


def test_nothing_is_found_that_is_right(judged: Judged) -> None:
    assert judged.false == []
    assert judged.report.unjudged == ()


def test_what_is_mechanical_is_mended_and_nothing_else(judged: Judged) -> None:
    done = [mark for mark in judged.mechanical if lines(mark) & judged.mended]
    assert len(done) / len(judged.mechanical) >= MENDED
    assert judged.mended <= {place for mark in judged.mechanical for place in lines(mark)}


def test_a_mended_case_runs_as_its_author_meant(
    judged: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Each case of which all that was wrong is mended is executed again."""
    copy = tmp_path / "cases"
    shutil.copytree(CASES, copy)
    monkeypatch.setattr(colour_cases, "CASES", copy)
    wrong = Counter(mark.path for mark in judged.expected)
    gc.freeze()  # each case ends with a collection, which need not look at what was judged
    request.addfinalizer(gc.unfreeze)
    ran = 0
    for fix in judged.fixes:
        if fix.changed and not fix.left and len(changed(fix)) == wrong[fix.path]:
            path = copy / fix.path.relative_to(CASES)
            path.write_bytes(fix.after)
            assert misbehaves(path) == set(), path
            ran += 1
    assert ran > LEAST_MENDED

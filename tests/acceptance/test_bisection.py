"""The cause, found by git with the reproduction as its judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from netra_incident.case import told_case
from netra_incident.history.checkout import git
from netra_incident.proof.bisection import Bisection, bisect

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(broken: Path) -> Bisection:
    """With the plan's export, whose empty entry means the repository that is bisected."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", f":{ROOT}")
        return bisect(told_case(), broken, "release-1", "buggy", ROOT)


def test_the_flip_of_the_colour_is_named(found: Bisection, broken: Path) -> None:
    (commit,) = found.commits
    assert commit == git("rev-parse", "buggy", cwd=broken).strip()
    assert found.found == ("Make get_websocket_manager synchronous",)


def test_it_takes_at_least_three_judgements(found: Bisection) -> None:
    verdicts = [verdict for verdict, _ in found.judgements]
    assert len(verdicts) - verdicts.count("skip") >= 3


def test_a_commit_that_cannot_be_imported_is_skipped(found: Bisection) -> None:
    assert ("skip", "Start counting by region") in found.judgements


def test_the_repository_is_left_as_it_was(found: Bisection, broken: Path) -> None:
    assert git("rev-parse", "HEAD", cwd=broken) == git("rev-parse", "buggy", cwd=broken)
    assert git("status", "--porcelain", cwd=broken) == ""
    assert not (broken / ".git" / "BISECT_LOG").exists()

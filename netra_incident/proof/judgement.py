"""Judgement: whether a tree is the fix, and which tests say that it is not."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netra_incident.case import Case
from netra_incident.proof.attempts import Attempt, injuries, partial_fixes
from netra_incident.proof.suite import WORKERS, Run, RunProgress, run_case


@dataclass(frozen=True)
class Judgement:
    """Whether a tree is the fix: every test must pass on it."""

    name: str
    run: Run

    @property
    def is_fix(self) -> bool:
        """Whether the tests ran, and all passed."""
        return bool(self.run.tests) and not self.run.not_passed()

    @property
    def caught_by(self) -> list[str]:
        """The ids of the tests that failed; one that could not run has caught nothing."""
        return [test.id for test in self.run.tests if test.outcome == "failed"]

    @property
    def sites(self) -> list[str]:
        """Where in the package it still fails: type, place, function and line."""
        return sorted(
            {error for test in self.run.not_passed() for error in test.seen.get("error", ())}
        )

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "name": self.name,
            "resolved": self.is_fix,
            "caught_by": self.caught_by,
            "sites": self.sites,
            "said": self.run.said,
        }


def judge(
    case: Case, tree: Path, project: Path = Path(), progress: RunProgress = lambda *_: None
) -> Judgement:
    """Run the tests of the case on a person's own tree.

    Raises `ConfigurationError` if there are no tests in `project`.
    """
    name = tree.name or str(tree)
    return Judgement(name, run_case(case, name, nullcontext(tree), project, progress))


def attempts(case: Case) -> list[Attempt]:
    """Return everything that must be caught: partial fixes, then the other injuries."""
    return [*partial_fixes(case), *injuries(case)]


def judge_attempts(
    chosen: Sequence[Attempt], project: Path = Path(), progress: RunProgress = lambda *_: None
) -> list[Judgement]:
    """Run the tests of the case on attempts that are no fix; in their order."""

    def judged(attempt: Attempt) -> Judgement:
        case, name = attempt.revision.case, attempt.name
        return Judgement(name, run_case(case, name, attempt.tree(), project, progress))

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(judged, chosen))

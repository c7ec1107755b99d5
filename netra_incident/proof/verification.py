"""Verification: whether the tests of the case tell the broken revision from the mended one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netra_incident.case import BROKEN, MENDED, Case
from netra_incident.history.checkout import scratch_checkout
from netra_incident.proof.results import FAIL_TO_PASS, HEAD, PASS_TO_PASS, Notes, Result
from netra_incident.proof.suite import WORKERS, Run, RunProgress, Test, run_case
from netra_incident.table import Table


@dataclass(frozen=True)
class Problem:
    """Something that keeps a verification from succeeding; `why` says expected and got."""

    revision: str
    test: str
    why: str

    def __str__(self) -> str:
        """Return it in one line."""
        return f"on {self.revision}: {self.test}: {self.why}"


@dataclass(frozen=True)
class Verification:
    """The tests of the case on the broken and on the mended revision."""

    case: Case
    broken: Run
    mended: Run

    def results(self, run: Run) -> list[Result]:
        """Return the results of a run by category."""
        return [Result(category, run.of(category.file)) for category in self.case.categories]

    @property
    def before(self) -> Table:
        """The table of the broken revision."""
        rows = [result.row(result.category.before) for result in self.results(self.broken)]
        return Table(HEAD, rows, f"BEFORE the fix, on {BROKEN}", 120)

    @property
    def after(self) -> Table:
        """The table of the mended revision."""
        rows = [result.row(result.category.after) for result in self.results(self.mended)]
        return Table(HEAD, rows, f"AFTER the fix, on {MENDED}", 120)

    @property
    def notes(self) -> Notes:
        """Where the plan's words differ from what was measured."""
        return Notes(f"{category.name}: {category.note}" for category in self.case.categories)

    def ids(self, mark: str) -> list[str]:
        """Return the ids of the tests with this mark."""
        return [test.id for test in self.mended.tests or self.broken.tests if test.mark == mark]

    def problems(self) -> list[Problem]:
        """Return what keeps these tests from proving the bug and the fix; nothing if they do."""
        found = []
        for revision, run in ((BROKEN, self.broken), (MENDED, self.mended)):
            if run.said:
                found.append(Problem(revision, "all tests", f"could not run: {run.said}"))
            for test in run.tests:
                why = _fault(test, broken=revision == BROKEN)
                if why:
                    found.append(Problem(revision, test.id, why))
        for result in self.results(self.mended):
            if not result.counts(FAIL_TO_PASS)[1]:
                why = "expected at least one fail-to-pass test, found none"
                found.append(Problem(MENDED, result.category.file, why))
        names = [{test.id for test in run.tests} for run in (self.broken, self.mended)]
        found += [
            Problem("one revision only", name, "expected the same tests on both")
            for name in sorted(names[0] ^ names[1])
        ]
        return found

    def as_json(self) -> dict[str, Any]:
        """Return everything for a program; the keys in capitals are SWE-bench's."""
        problems = self.problems()
        return {
            "instance_id": self.case.id,
            "resolved": not problems,
            "FAIL_TO_PASS": self.ids(FAIL_TO_PASS),
            "PASS_TO_PASS": self.ids(PASS_TO_PASS),
            "before": [item.as_json(item.category.before) for item in self.results(self.broken)],
            "after": [item.as_json(item.category.after) for item in self.results(self.mended)],
            "problems": [vars(problem) for problem in problems],
        }


def _fault(test: Test, *, broken: bool) -> str | None:
    """Return how a test falls short of its mark, or `None`."""
    if test.mark not in {FAIL_TO_PASS, PASS_TO_PASS}:
        return f"expected a mark, {FAIL_TO_PASS} or {PASS_TO_PASS}"
    if broken and test.mark == FAIL_TO_PASS:
        if test.outcome != "failed":
            return f"expected a failure, got {test.outcome}: {test.words}"
        if not test.fails_for_its_reason:
            return f"expected a failure for /{test.reason}/, got: {test.words}"
    elif test.outcome != "passed":
        return f"expected to pass, got {test.outcome}: {test.words}"
    return None


def verify(
    case: Case, project: Path = Path(), progress: RunProgress = lambda *_: None
) -> Verification:
    """Run the tests of the case on the broken and on the mended revision, side by side.

    `project` holds the tests. Raises `ConfigurationError` if it does not.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        broken, mended = pool.map(
            lambda revision: run_case(
                case, revision.name, scratch_checkout(revision), project, progress
            ),
            (case.buggy, case.fixed),
        )
    return Verification(case, broken, mended)

"""Verification: whether the tests of the case tell the broken revision from the mended one."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from netra_ws.incident.attempts import Attempt, injuries, partial_fixes
from netra_ws.incident.case import Category, load_case
from netra_ws.incident.checkout import scratch_checkout
from netra_ws.incident.comparison import html_table, render
from netra_ws.incident.suite import Run, Test, run_suite

FAIL_TO_PASS = "fail_to_pass"  # noqa: S105 - no password
PASS_TO_PASS = "pass_to_pass"  # noqa: S105
BROKEN, MENDED = "buggy", "fixed"

WORKERS = 2
"""Runs at a time. Each is a test process and its servers; more would only wait for processors."""

Progress = Callable[[str, int], object]
"""Called with the name of a run and the percentage of it that is done."""


@dataclass(frozen=True)
class Problem:
    """Something that keeps a verification from succeeding; `why` says expected and got."""

    revision: str
    test: str
    why: str

    def __str__(self) -> str:
        """Return it in one line."""
        return f"on {self.revision}: {self.test}: {self.why}"


def _shown(seen: dict[str, tuple[str, ...]]) -> list[str]:
    """Return what tests saw, one kind a line; places in one file share the line."""
    places: dict[tuple[str, str], set[int]] = {}
    for error in seen.get("error", ()):
        found = re.match(r"(\w+) at (?:.*/)?([\w.]+):(\d+) in ", error)
        if found:
            places.setdefault((found[1], found[2]), set()).add(int(found[3]))
    lines = [
        f"{kind} at {file}:{', '.join(map(str, sorted(numbers)))}"
        for (kind, file), numbers in sorted(places.items())
    ]
    codes = [
        f"{words} {', '.join(sorted(seen[name]))}"
        for name, words in (("close_code", "close code"), ("http_status", "HTTP"))
        if name in seen
    ]
    return [*lines, ", ".join(codes)]


@dataclass(frozen=True)
class Result:
    """How the tests of one category came out on one tree."""

    category: Category
    tests: list[Test]

    @property
    def passed(self) -> bool:
        """Whether there are tests, and all of them passed."""
        return bool(self.tests) and all(test.outcome == "passed" for test in self.tests)

    @property
    def seen(self) -> dict[str, tuple[str, ...]]:
        """Return what the tests saw, each value once."""
        found: dict[str, dict[str, None]] = {}
        for test in self.tests:
            for name, values in test.seen.items():
                found.setdefault(name, {}).update(dict.fromkeys(values))
        return {name: tuple(values) for name, values in found.items()}

    def counts(self, mark: str) -> tuple[int, int]:
        """Return how many tests with this mark passed, and how many there are."""
        marked = [test for test in self.tests if test.mark == mark]
        return sum(test.outcome == "passed" for test in marked), len(marked)

    def row(self, expected: str) -> tuple[str, ...]:
        """Return the category as a row of its table."""
        done, n = self.counts(FAIL_TO_PASS)
        direct, m = self.counts(PASS_TO_PASS)
        counts = f"{done} of {n} fail-to-pass"
        if m:
            counts += f"\n{direct} of {m} pass-to-pass"
        result = "PASS" if self.passed else "FAIL"
        return self.category.name, result, counts, "\n".join(_shown(self.seen)), expected

    def as_json(self, expected: str) -> dict[str, Any]:
        """Return the category for a program."""
        outcomes = [test.outcome for test in self.tests]
        return {
            "category": self.category.name,
            "file": self.category.file,
            "result": "PASS" if self.passed else "FAIL",
            "counts": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
            "seen": {name: list(values) for name, values in self.seen.items()},
            "expected": expected,
            "note": self.category.note,
        }


HEAD = ("category", "result", "tests passed", "seen", "expected by the plan")


class Table:
    """The results on one revision: plain text for a terminal, HTML for a page."""

    def __init__(self, title: str, rows: Sequence[Sequence[str]]) -> None:
        self.title = title
        self.rows = rows

    def __repr__(self) -> str:
        """Return the table as plain text."""
        return f"{self.title}\n\n{render(self.rows, HEAD, width=120)}"

    def _repr_html_(self) -> str:
        """Return the table as HTML."""
        return f"<p><strong>{self.title}</strong></p>{html_table(self.rows, HEAD)}"


class Notes(list[str]):
    """Remarks, one a line."""

    def __repr__(self) -> str:
        """Return them as plain text."""
        return "\n".join(f"- {textwrap.fill(note, 100, subsequent_indent='  ')}" for note in self)

    def _repr_markdown_(self) -> str:
        """Return them for a notebook."""
        return repr(self)


@dataclass(frozen=True)
class Verification:
    """The tests of the case on the broken and on the mended revision."""

    broken: Run
    mended: Run

    def results(self, run: Run) -> list[Result]:
        """Return the results of a run by category."""
        return [Result(category, run.of(category.file)) for category in load_case().categories]

    @property
    def before(self) -> Table:
        """The table of the broken revision."""
        rows = [result.row(result.category.before) for result in self.results(self.broken)]
        return Table(f"BEFORE the fix, on {BROKEN}", rows)

    @property
    def after(self) -> Table:
        """The table of the mended revision."""
        rows = [result.row(result.category.after) for result in self.results(self.mended)]
        return Table(f"AFTER the fix, on {MENDED}", rows)

    @property
    def notes(self) -> Notes:
        """Where the plan's words differ from what was measured."""
        return Notes(f"{category.name}: {category.note}" for category in load_case().categories)

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
            "instance_id": load_case().id,
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


def _files() -> list[str]:
    return [category.file for category in load_case().categories]


def _run(
    name: str,
    tree: AbstractContextManager[Path],
    project: Path,
    progress: Progress,
) -> Run:
    with tree as folder:
        run = run_suite(_files(), folder, project, progress=lambda done: progress(name, done))
    progress(name, 100)
    return run


def verify(project: Path = Path(), progress: Progress = lambda *_: None) -> Verification:
    """Run the tests of the case on the broken and on the mended revision, side by side.

    `project` holds the tests. Raises `ConfigurationError` if it does not.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        broken, mended = pool.map(
            lambda revision: _run(revision, scratch_checkout(revision), project, progress),
            (BROKEN, MENDED),
        )
    return Verification(broken, mended)


def judge(tree: Path, project: Path = Path(), progress: Progress = lambda *_: None) -> Judgement:
    """Run the tests of the case on a person's own tree.

    Raises `ConfigurationError` if there are no tests in `project`.
    """
    name = tree.name or str(tree)
    run = run_suite(_files(), tree, project, progress=lambda done: progress(name, done))
    return Judgement(name, run)


def attempts() -> list[Attempt]:
    """Return everything that must be caught: partial fixes, then the other injuries."""
    return [*partial_fixes(), *injuries()]


def judge_attempts(
    chosen: Sequence[Attempt], project: Path = Path(), progress: Progress = lambda *_: None
) -> list[Judgement]:
    """Run the tests of the case on attempts that are no fix; in their order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(
            pool.map(
                lambda attempt: Judgement(
                    attempt.name, _run(attempt.name, attempt.tree(), project, progress)
                ),
                chosen,
            )
        )


def junit_xml(runs: dict[str, Run]) -> str:
    """Return several runs as one JUnit XML document, a suite each."""
    suites = ET.Element("testsuites")
    for name, run in runs.items():
        if run.xml:
            for suite in ET.fromstring(run.xml).iter("testsuite"):  # noqa: S314 - pytest wrote it
                suite.set("name", name)
                suites.append(suite)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)

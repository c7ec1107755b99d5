"""The tests of a case, run on a tree, and what each of them saw."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from netra_incident.case import Case
from netra_incident.history.tree import (
    TreeLacks,
    check_tree,
    check_whole,
    commit_of,
    tree_environment,
)
from netra_incident.lacking import LACKS
from netra_ws.errors import ConfigurationError

TIMEOUT_S = 600.0
"""For one run of all the files, which hangs then; the longest measured took a fiftieth of it."""

PYTEST = """\
import os
import sys
import threading

caller = os.dup(0)  # pytest closes standard input


def end_with_caller():
    while os.read(caller, 4096):
        pass
    os._exit(1)


threading.Thread(target=end_with_caller, daemon=True).start()
import pytest

sys.exit(pytest.main())
"""
"""pytest in a process that ends when its standard input does, for so it does with its caller."""

RUN = (0, 1)
"""pytest's exit codes of a run that took place: all passed, some failed."""

WORKERS = 2
"""Runs at a time. Each is a test process and its servers; more would only wait for processors."""

Progress = Callable[[int], object]
"""Called with the percentage of the tests that are done."""

RunProgress = Callable[[str, int], object]
"""The same of several runs, called with the name of the run first."""


@dataclass(frozen=True)
class Test:
    """A test as it came out; `seen` is what it saw: close codes, HTTP statuses, errors.

    `outcome` is ``passed``, ``failed``, ``error`` (of a fixture) or ``skipped``; `words` are those
    of the failure. `mark` is ``fail_to_pass`` or ``pass_to_pass`` or nothing; `reason` and
    `fails_on` are what the mark says.
    """

    file: str
    name: str
    outcome: str
    words: str = ""
    mark: str = ""
    reason: str = ""
    fails_on: str = ""
    seen: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The node id by which pytest knows the test."""
        return f"{self.file}::{self.name}"

    @property
    def fails_for_its_reason(self) -> bool:
        """Whether it failed, and its words and the errors it saw match its reason."""
        evidence = "\n".join([self.words, *self.seen.get("error", ())])
        failed = self.outcome == "failed" and bool(self.reason)
        return failed and bool(re.search(self.reason, evidence))


@dataclass(frozen=True)
class Run:
    """One run of the tests on one tree; `said` is pytest's own words if it could not run them."""

    tests: tuple[Test, ...]
    xml: str = ""
    said: str = ""

    def of(self, file: str) -> list[Test]:
        """Return the tests of one file."""
        return [test for test in self.tests if test.file == file]

    def not_passed(self) -> list[Test]:
        """Return the tests that did not pass."""
        return [test for test in self.tests if test.outcome != "passed"]


def _test(case: ET.Element) -> Test:
    properties: dict[str, list[str]] = {}
    for item in case.iterfind("properties/property"):
        properties.setdefault(item.get("name", ""), []).append(item.get("value", ""))
    single = {name: properties.pop(name, [""])[0] for name in ("mark", "reason", "fails_on")}
    outcome, words = "passed", ""
    for tag, means in (("skipped", "skipped"), ("failure", "failed"), ("error", "error")):
        found = case.find(tag)
        if found is not None:
            outcome, words = means, found.get("message", "")
    seen = {name: tuple(values) for name, values in properties.items()}
    return Test(case.get("file", ""), case.get("name", ""), outcome, words, **single, seen=seen)


def _environment(tree: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        # The trees under test are served on this machine, and the options are ours alone.
        if not name.startswith(("STAGING_", "PYTEST_"))
    }
    return tree_environment(tree, commit_of(tree), str(tree), kept)


def run_suite(
    files: Sequence[str],
    tree: Path,
    project: Path,
    *options: str,
    progress: Progress = lambda _: None,
) -> Run:
    """Run test files of `project` on the package in `tree`, end-to-end tests on a local staging.

    `options` go to pytest. Raises `ConfigurationError` if a file or the package is missing, and
    `TreeLacks` if the package lacks what is imported from it.
    """
    for file in files:
        if not (project / file).is_file():
            msg = f"there is no {file} in {project.resolve()}"
            raise ConfigurationError(f"{msg}: run this in a checkout of the project")
    tree = check_tree(tree)
    check_whole(tree)
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        report = Path(folder) / "report.xml"
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-c", PYTEST, "-v", "-p", "no:cacheprovider"),
                # Notebooks and properties are others' business: their plugins start slowly.
                *("-p", "no:nbval", "-p", "no:hypothesispytest"),
                "--override-ini=addopts=--strict-markers",
                *("--color=no", "--staging", f"--tree={tree}"),
                *(f"--junitxml={report}", "--override-ini=junit_family=xunit1"),
                *options,
                *files,
            ],
            cwd=project,
            env=_environment(tree),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        watchdog = threading.Timer(TIMEOUT_S, end)
        watchdog.start()
        said = []
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with process.stdin, process.stdout:
                for line in process.stdout:
                    said.append(line)
                    done = re.search(r"\[ *(\d+)%\]$", line.rstrip())
                    if done:
                        progress(int(done[1]))
                code = process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
        if late.is_set():
            return Run((), said=f"ended after {TIMEOUT_S:.0f} s")
        if code < 0:
            return Run((), said=f"ended by signal {-code}")
        if code not in RUN or not report.exists():
            why = _why(said)
            if LACKS in why:
                raise TreeLacks(why)
            return Run((), said=why)
        xml = report.read_text(encoding="utf-8")
    cases = ET.fromstring(xml).iter("testcase")  # noqa: S314 - pytest wrote it just now
    return Run(tuple(map(_test, cases)), xml)


def run_case(
    case: Case,
    name: str,
    tree: AbstractContextManager[Path],
    project: Path,
    progress: RunProgress,
) -> Run:
    """Run the files of all categories of the case on a tree; see `run_suite`."""
    files = [category.file for category in case.categories]
    with tree as folder:
        run = run_suite(files, folder, project, progress=lambda done: progress(name, done))
    progress(name, 100)
    return run


def junit_xml(runs: Mapping[str, Run]) -> str:
    """Return several runs as one JUnit XML document, a suite each."""
    suites = ET.Element("testsuites")
    for name, run in runs.items():
        if run.xml:
            for suite in ET.fromstring(run.xml).iter("testsuite"):  # noqa: S314 - pytest wrote it
                suite.set("name", name)
                suites.append(suite)
        elif run.said:
            suite = ET.SubElement(suites, "testsuite", name=name, tests="1", errors="1")
            case = ET.SubElement(suite, "testcase", name="all tests")
            ET.SubElement(case, "error", message=f"could not run: {run.said}")
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)


def _why(said: Sequence[str]) -> str:
    """Return the line in which pytest says why it could not run."""
    lines = [line.strip() for line in said if line.strip()]
    errors = [line for line in lines if re.match(r"(E  |ERROR|.*Error\b)", line)]
    return (errors or lines or ["no word at all"])[-1].removeprefix("E").strip()

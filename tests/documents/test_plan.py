"""The trace of the plan: everything that docs/plan.md names exists, and no item is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
from limits import HANG_S
from packages import PACKAGES

from netra_incident.cli import COMMANDS as CLI_COMMANDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
FOUR_FILES = (
    "tests/unit/websocket_core/test_issue_1231_async_await_bug_reproduction.py",
    "tests/integration/websocket_core/test_issue_1231_websocket_connection_failures.py",
    "tests/e2e/staging/test_issue_1231_golden_path_websocket_failures.py",
    "tests/unit/websocket_core/test_issue_1231_fix_validation.py",
)
SIX_FILES = (
    *FOUR_FILES,
    "tests/mission_critical/test_websocket_mission_critical_fixed.py",
    "tests/e2e/staging/test_websocket_events_business_critical_staging.py",
)
ARGUMENTS = {"fail_to_pass": ["reason"], "pass_to_pass": ["fails_on"]}

# What there is in the plan, counted in it by hand: its lines by section and by kind. The plan is
# not part of the project. The differences are ours.
ITEMS = {
    "Where the plan and the measurements differ": {"difference": 14},
    "Summary and strategy": {"statement": 4, "phase": 2},
    "Unit tests: reproduction": {"output": 2, "coverage": 5},
    "Integration tests: connections": {"output": 3, "coverage": 6},
    "End-to-end tests: staging": {"output": 3, "coverage": 5},
    "Fix validation": {"output": 3, "coverage": 6},
    "Test suites": {"result": 2, "option": 5},
    "Environment": {"variable": 5, "note": 1},
    "Expected results": {"before": 4, "after": 4},
    "The fix": {"file": 1, "change": 1, "location": 4},
    "Business impact": {"metric": 5, "criterion": 5},
    "Timeline": {"step": 10},
    "Rollback": {"rollback": 4},
    "Notes for developers": {"note": 9},
}
COMMANDS = {
    "Unit tests: reproduction": 1,
    "Integration tests: connections": 1,
    "End-to-end tests: staging": 1,
    "Fix validation": 1,
    "Test suites": 4,
    "Environment": 3,
}
EXPORTS = 5

PATH = rf"(?:tests|notebooks|docs|{'|'.join(PACKAGES)})/[\w./-]*\w|runbook\.md|\.ci/run"
TEST = r"tests/[\w/]+\.py::\w+(?:\[\w+\])?"
COMMAND = r"`(?:make|netra-ws) [a-z]+`"

LIST = """\
import json, sys
import pytest

class Listing:
    def pytest_collection_finish(self, session):
        marks = {
            item.nodeid: [
                [mark.name, list(mark.args), list(mark.kwargs)]
                for mark in item.iter_markers()
                if mark.name.endswith("_to_pass")
            ]
            for item in session.items
        }
        with open(sys.argv[1], "w") as file:
            json.dump(marks, file)

pytest.main(["--collect-only", *sys.argv[2:]], plugins=[Listing()])
"""
# Notebooks and properties are not what is listed, and their plugins start slowly.
QUICK = ("--override-ini=addopts=", "-pno:cacheprovider", "-pno:nbval", "-pno:hypothesispytest")


class Row(NamedTuple):
    """A line of a table."""

    section: str
    kind: str
    item: str
    proof: str


def _rows() -> list[Row]:
    rows = []
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        for line in re.findall(r"^\| (?!kind )(.*) \|$", body, re.MULTILINE):
            kind, *item, proof = line.split(" | ")
            rows.append(Row(title, kind, ", ".join(item), proof))
    return rows


ROWS = _rows()


class Mark(NamedTuple):
    """A mark of the incident; `named` are the names of its keyword arguments."""

    name: str
    positional: list[str]
    named: list[str]


Marks: TypeAlias = dict[str, list[Mark]]


def _files() -> list[str]:
    """Return the files that the plan names, and those in which its keyword or a mark stands."""
    files = set(re.findall(r"tests/[\w/]+\.py", TEXT))
    for path in (ROOT / "tests").rglob("test_*.py"):
        name = path.relative_to(ROOT).as_posix()
        if re.search("issue_1231|(?:fail|pass)_to_pass", name + path.read_text(encoding="utf-8")):
            files.add(name)
    return sorted(files)


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Marks:
    """The marks of the incident on every test that can have one, by the test's id."""
    path = tmp_path_factory.mktemp("plan") / "marks.json"
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIST, str(path), *QUICK, *_files()],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert path.exists(), done.stdout + done.stderr
    listed = json.loads(path.read_text(encoding="utf-8"))
    return {test: [Mark(*mark) for mark in found] for test, found in listed.items()}


def without_parameters(test: str) -> str:
    return test.partition("[")[0]


# Names


def test_every_test_that_is_named_exists(marks: Marks) -> None:
    known = {*marks, *map(without_parameters, marks)}
    assert not {test for test in re.findall(TEST, TEXT) if test not in known}


def test_every_file_that_is_named_exists() -> None:
    missing = [path for path in re.findall(PATH, TEXT) if not (ROOT / path).exists()]
    assert not missing


def test_every_command_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE)
    named = dict.fromkeys(re.findall(COMMAND, TEXT))
    assert named
    for command in named:
        program, name = command.strip("`").split()
        assert name in (targets if program == "make" else CLI_COMMANDS), command


def test_every_test_of_the_six_files_is_in_the_trace(marks: Marks) -> None:
    named = set(map(without_parameters, re.findall(TEST, TEXT)))
    for path in SIX_FILES:
        tests = {without_parameters(test) for test in marks if test.startswith(f"{path}::")}
        assert tests, path
        assert not tests - named


def test_the_keyword_selects_four_files(marks: Marks) -> None:
    selected = {test.partition("::")[0] for test in marks if "issue_1231" in test}
    assert selected == set(FOUR_FILES)


# Items


def test_no_item_of_the_plan_is_missing() -> None:
    found: dict[str, Counter[str]] = {}
    for row in ROWS:
        found.setdefault(row.section, Counter())[row.kind] += 1
    assert found == ITEMS


def test_no_command_of_the_plan_is_missing() -> None:
    found: Counter[str] = Counter()
    exports = 0
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        for block in re.findall(r"^```bash\n(.*?)^```$", section, re.DOTALL | re.MULTILINE):
            lines = block.splitlines()
            exports += sum(line.startswith("export ") for line in lines)
            found[section.partition("\n")[0]] += sum(line.startswith("python ") for line in lines)
    assert found == COMMANDS
    assert exports == EXPORTS


def test_every_item_has_a_proof() -> None:
    assert not [row for row in ROWS if not re.search(f"{TEST}|{PATH}|{COMMAND}", row.proof)]


def test_every_coverage_has_a_test_that_fails_on_the_bug(marks: Marks) -> None:
    for row in ROWS:
        if row.kind == "coverage":
            tests = set(re.findall(TEST, row.proof))
            found = [
                mark.name
                for test, its_marks in marks.items()
                if {test, without_parameters(test)} & tests
                for mark in its_marks
            ]
            assert "fail_to_pass" in found, row


# The tests of the plan


def test_every_test_of_the_plan_has_one_mark(marks: Marks) -> None:
    for test, found in marks.items():
        if test.partition("::")[0] in SIX_FILES:
            assert len(found) == 1, test
            assert (found[0].positional, found[0].named) == ([], ARGUMENTS[found[0].name]), test


def test_the_six_files_use_no_mocks() -> None:
    for path in (*SIX_FILES, "tests/unit/websocket_core/conftest.py"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not re.search(r"mock|monkeypatch|\bpatch\b", text, re.IGNORECASE), path


def test_ci_runs_the_tests_of_the_plan() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make (\w+)$", ci, re.MULTILINE) == ["clean", "test", "check", "acceptance"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m pytest --staging" in makefile


def test_further_pythons_run_the_pages_and_the_tests_of_the_plan() -> None:
    """`make incident`, which CI runs on each further Python that is there."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^  make incident PYTHON=", ci, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^incident: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    folders = re.findall(r"\b(?:tests|notebooks)\b[\w/]*", recipe[1])
    assert "notebooks" in folders
    for path in SIX_FILES:
        assert any((ROOT / path).is_relative_to(ROOT / folder) for folder in folders), path

"""`netra-ws verify` as its user runs it, on the real revisions."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from processes import netra_ws

from netra_ws.incident.case import load_case
from netra_ws.incident.checkout import checkout
from netra_ws.incident.proof import suite
from netra_ws.incident.proof.suite import run_suite

ROOT = Path(__file__).parents[2]
SITES = {
    "create_websocket_manager_ssot",
    "websocket_health_check",
    "websocket_config",
    "websocket_stats",
}
LIMIT_S = 100.0


def verify(*arguments: str | Path, cwd: Path = ROOT) -> tuple[int, str, str]:
    done = netra_ws("verify", *arguments, cwd=cwd, timeout_s=LIMIT_S)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], ET.Element]:
    """What `verify --json --junitxml` says; its exit code was 0."""
    xml = tmp_path_factory.mktemp("verify") / "reports" / "verify.xml"
    code, out, said = verify("--json", "--junitxml", xml)
    assert code == 0, out + said
    return json.loads(out), ET.parse(xml).getroot()


@pytest.mark.timeout(LIMIT_S)
def test_the_tests_tell_the_bug_from_the_fix(report: tuple[dict, ET.Element]) -> None:
    document, _ = report
    assert document["resolved"] is True
    assert document["problems"] == []
    assert len(document["FAIL_TO_PASS"]) >= 30
    assert document["PASS_TO_PASS"]
    assert not set(document["FAIL_TO_PASS"]) & set(document["PASS_TO_PASS"])


@pytest.mark.timeout(LIMIT_S)
def test_every_category_shows_what_it_saw(report: tuple[dict, ET.Element]) -> None:
    document, _ = report
    plan = load_case().categories
    for side, result in (("before", "FAIL"), ("after", "PASS")):
        assert [item["category"] for item in document[side]] == [item.name for item in plan]
        assert {item["result"] for item in document[side]} == {result}
    for item, category in zip(document["before"], plan, strict=True):
        assert item["expected"] == category.before
        assert set(item["counts"]) <= {"failed", "passed"}, "no errors, no skips"
        assert item["seen"]["close_code"] == ["1011"]
        assert item["seen"]["http_status"] == ["500"]
        found = [
            re.fullmatch(r"TypeError at netra_ws/routes/websocket_ssot\.py:\d+ in (\w+): .+", error)
            for error in item["seen"]["error"]
        ]
        assert {match[1] for match in found if match} == SITES
        assert all(found)
    for item in document["after"]:
        assert "error" not in item["seen"]
        assert item["seen"]["close_code"] == ["1000"]
        assert item["seen"]["http_status"] == ["200"]


@pytest.mark.timeout(LIMIT_S)
def test_the_junit_document_has_a_suite_for_each_revision(
    report: tuple[dict, ET.Element],
) -> None:
    document, xml = report
    suites = {suite.get("name"): suite for suite in xml.iter("testsuite")}
    assert set(suites) == {"buggy", "fixed"}
    n = len(document["FAIL_TO_PASS"]) + len(document["PASS_TO_PASS"])
    assert {suite.get("tests") for suite in suites.values()} == {str(n)}
    assert suites["buggy"].get("failures") == str(len(document["FAIL_TO_PASS"]))
    assert suites["fixed"].get("failures") == suites["fixed"].get("errors") == "0"


# A person's own attempt


def test_a_tree_that_cannot_be_imported_is_no_fix(tmp_path: Path) -> None:
    tree = tmp_path / "attempt"
    checkout("fixed", tree)
    (tree / "netra_ws" / "manager.py").write_text("def broken(:\n")
    code, out, said = verify("--tree", tree)
    assert code == 1
    assert "is not a fix: no test could run" in out
    assert "SyntaxError" in out
    assert "Traceback" not in out + said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tree", "nowhere"), "nowhere holds no package netra_ws"),
        (("--tree", ".", "--partial-fixes"), "exclude each other"),
        (("--junitxml", "runbook.md/report.xml", "--tree", "."), "runbook.md"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    code, out, said = verify(*arguments)
    assert (code, out) == (2, "")
    assert words in said
    assert len(said.splitlines()) == 1


def test_elsewhere_than_in_a_checkout_is_one_line(tmp_path: Path) -> None:
    code, out, said = verify(cwd=tmp_path)
    assert (code, out) == (2, "")
    assert "run this in a checkout of the project" in said


# A run that does not end

OPTIONS = """
def pytest_addoption(parser):
    parser.addoption("--staging", action="store_true")
    parser.addoption("--tree")
"""
ENDLESS = """
def test_endless():
    while True:
        pass
"""


def test_a_run_that_hangs_is_ended_and_said(
    tmp_path: Path, trees: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conftest.py").write_text(OPTIONS)
    (tmp_path / "test_endless.py").write_text(ENDLESS)
    monkeypatch.setattr(suite, "TIMEOUT_S", 3.0)
    run = run_suite(["test_endless.py"], trees["fixed"], tmp_path, "-p", "no:nbval")
    assert (run.tests, run.said) == ((), "ended after 3 s")


@pytest.mark.parametrize(
    ("end", "said"),
    [("os.kill(os.getpid(), 9)", "ended by signal 9"), ("os._exit(0)", "test_it.py::test_it")],
)
def test_a_run_that_ends_early_is_said(
    end: str, said: str, tmp_path: Path, trees: dict[str, Path]
) -> None:
    (tmp_path / "conftest.py").write_text(OPTIONS)
    (tmp_path / "test_it.py").write_text(f"import os\ndef test_it():\n    {end}\n")
    run = run_suite(["test_it.py"], trees["fixed"], tmp_path)
    assert run.tests == ()
    assert said in run.said


def test_nothing_of_the_callers_environment_reaches_the_tests(
    tmp_path: Path, trees: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conftest.py").write_text(OPTIONS)
    (tmp_path / "test_environment.py").write_text(
        "import os, netra_ws\n"
        "def test_environment():\n"
        "    assert not [name for name in os.environ if name.startswith('STAGING_')]\n"
        f"    assert netra_ws.__file__.startswith({str(trees['buggy'].resolve())!r})\n"
    )
    monkeypatch.setenv("STAGING_BASE_URL", "https://elsewhere.example")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only")
    monkeypatch.setenv("PYTHONPATH", ":" + ":".join(filter(None, sys.path)))
    run = run_suite(["test_environment.py"], trees["buggy"], tmp_path)
    assert [test.outcome for test in run.tests] == ["passed"], run

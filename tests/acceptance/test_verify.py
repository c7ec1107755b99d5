"""`netra-ws verify` as its user runs it, on the real revisions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from processes import netra_ws

from netra_incident.case import told_case

ROOT = Path(__file__).parents[2]
SITES = {
    "create_websocket_manager_ssot",
    "websocket_health_check",
    "websocket_config",
    "websocket_stats",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], ET.Element]:
    """What `verify --json --junitxml` says; its exit code was 0."""
    xml = tmp_path_factory.mktemp("verify") / "reports" / "verify.xml"
    done = netra_ws("verify", "--json", "--junitxml", xml, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout), ET.parse(xml).getroot()


def test_the_tests_tell_the_bug_from_the_fix(report: tuple[dict, ET.Element]) -> None:
    document, _ = report
    assert document["resolved"] is True
    assert document["problems"] == []
    assert len(document["FAIL_TO_PASS"]) >= 30
    assert document["PASS_TO_PASS"]
    assert not set(document["FAIL_TO_PASS"]) & set(document["PASS_TO_PASS"])


def site_of(error: str) -> str:
    """Return the function in which the error was raised; it must be one of the incident."""
    match = re.fullmatch(r"TypeError at netra_ws/routes/websocket_ssot\.py:\d+ in (\w+): .+", error)
    assert match, error
    return match[1]


def test_every_category_shows_what_it_saw(report: tuple[dict, ET.Element]) -> None:
    document, _ = report
    plan = told_case().categories
    for side, result in (("before", "FAIL"), ("after", "PASS")):
        assert [item["category"] for item in document[side]] == [item.name for item in plan]
        assert {item["result"] for item in document[side]} == {result}
    for item, category in zip(document["before"], plan, strict=True):
        assert item["expected"] == category.before
        assert set(item["counts"]) <= {"failed", "passed"}, "no errors, no skips"
        assert item["seen"]["close_code"] == ["1011"]
        assert item["seen"]["http_status"] == ["500"]
        assert set(map(site_of, item["seen"]["error"])) == SITES
    for item in document["after"]:
        assert "error" not in item["seen"]
        assert item["seen"]["close_code"] == ["1000"]
        assert item["seen"]["http_status"] == ["200"]


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

"""The plan's tests on revisions and on attempts: what fails there, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from processes import netra_ws

from netra_incident.case import told_case
from netra_incident.history.checkout import scratch_checkout
from netra_incident.proof.attempts import partial_fixes
from netra_incident.proof.suite import run_suite

ROOT = Path(__file__).parents[2]
FILES = [
    *(category.file for category in told_case().categories),
    "tests/mission_critical/test_websocket_mission_critical_fixed.py",
    "tests/e2e/staging/test_websocket_events_business_critical_staging.py",
]
SITES = {
    "create_websocket_manager_ssot",
    "websocket_health_check",
    "websocket_config",
    "websocket_stats",
}


def test_on_before_exactly_the_tests_of_the_factorys_colour_fail() -> None:
    with scratch_checkout(told_case().before) as tree:
        run = run_suite(FILES, tree, ROOT)
    colour = {test.id for test in run.tests if test.fails_on == "before"}
    assert colour
    assert {test.id for test in run.not_passed()} == colour
    assert {test.outcome for test in run.not_passed()} == {"failed"}


def test_on_buggy_every_fail_to_pass_test_fails_for_its_reason() -> None:
    """Of all six files: `netra-ws verify` runs those of the four categories."""
    with scratch_checkout(told_case().buggy) as tree:
        run = run_suite(FILES, tree, ROOT)
    marked = [test for test in run.tests if test.mark == "fail_to_pass"]
    assert {test.file for test in marked} == set(FILES)
    assert [test.id for test in marked if not test.fails_for_its_reason] == []
    assert {test.id for test in run.not_passed()} == {test.id for test in marked}


def test_an_attempt_that_forgets_a_site_is_told_which() -> None:
    attempt = next(item for item in partial_fixes(told_case()) if item.name.count(",") == 2)
    with attempt.tree() as tree:
        done = netra_ws("verify", "--tree", tree, cwd=ROOT)
    code, out = done.returncode, done.stdout
    (site,) = SITES - set(re.findall(r"\w+", attempt.name))
    assert code == 1
    assert "is not a fix" in out
    remains = [line for line in out.splitlines() if "remains:" in line]
    assert remains
    assert all(f" in {site}: " in line for line in remains)

"""The drill over real processes: as planned, with steps that fail, and interrupted."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from importlib import import_module
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import leash
import pytest
from limits import HANG_S
from processes import COMMAND, clean_environment

from netra_incident.case import told_case
from netra_incident.drill import Drill, Step, run_drill
from netra_incident.figures import drill_timeline
from netra_incident.history.checkout import checkout, git
from netra_ws.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
NAMES = [
    "steady state",
    "revert",
    "redeploy",
    "detect",
    "validate",
    "investigate",
    "reapply",
    "redeploy",
    "verify",
]
AS_PLANNED = """\
steady state  ok: 30 sessions complete in a row, 3 of 3 endpoints 200
revert        ok: 4 lines of netra_ws/routes/websocket_ssot.py
redeploy      ok: another backend, at the same address
detect        ok: a session did not complete: close 1011, no reason
validate      ok: 9 of 9 fail-to-pass tests failed for their reason, 4 others passed
investigate   ok: failed tests: 9, failed lines of the backend: 4; all known from buggy
reapply       ok: git revert of the revert; the tree has the fix again
redeploy      ok: another backend, at the same address
verify        ok: 30 sessions complete in a row, 3 of 3 endpoints 200
the drill went as planned"""

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--staging", action="store_true")
    parser.addoption("--tree")

def pytest_collection_modifyitems(items):
    for item in items:
        for mark in item.iter_markers("fail_to_pass"):
            item.user_properties += [("mark", mark.name), *mark.kwargs.items()]
"""


def small_project(folder: Path, body: str) -> Path:
    """A project whose reproduction is one test with this body."""
    test = folder / told_case().categories[0].file
    test.parent.mkdir(parents=True)
    test.write_text(
        "import os, pytest\n"
        "@pytest.mark.fail_to_pass(reason='the bug')\n"
        f"def test_it():\n    {body}\n"
    )
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = fail_to_pass(reason): as it says\n")
    return folder


def outcomes(drill: Drill) -> list[tuple[str, bool | None]]:
    return [(step.name, step.ok) for step in drill.steps]


RESTORED = [("reapply", True), ("redeploy", True), ("verify", True)]


@pytest.fixture(scope="module", autouse=True)
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder for temporary files; after all drills it is empty."""
    folder = tmp_path_factory.mktemp("scratch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder
    assert list(folder.iterdir()) == []


# As planned


@pytest.fixture(scope="module")
def told() -> list[Step]:
    """What the drill told while it went on."""
    return []


@pytest.fixture(scope="module")
def drill(told: list[Step]) -> Drill:
    return asyncio.run(run_drill(told_case(), ROOT, progress=told.append))


def test_the_steps_and_outcomes_of_a_drill_as_planned(drill: Drill) -> None:
    assert repr(drill) == AS_PLANNED
    assert [step.name for step in drill.steps] == NAMES
    assert not drill.deviated
    assert drill.new_failures == ()


def test_steps_follow_each_other_and_are_told_when_they_begin_and_end(
    drill: Drill, told: list[Step]
) -> None:
    for one, other in pairwise(drill.steps):
        assert one.end_s is not None
        assert one.start_s <= one.end_s <= other.start_s
    assert told[1::2] == list(drill.steps)
    assert [(step.name, step.end_s) for step in told[::2]] == [(name, None) for name in NAMES]


def test_detected_and_recovered_are_the_first_sessions_that_say_so(drill: Drill) -> None:
    assert drill.broken_s is not None
    assert drill.mended_s is not None
    detect, verify = drill.steps[3], drill.steps[8]
    assert detect.start_s >= drill.broken_s
    assert verify.start_s >= drill.mended_s
    without = [s for s in drill.sessions if drill.broken_s <= s.start_s < drill.steps[6].start_s]
    again = [s for s in drill.sessions if s.start_s >= drill.mended_s]
    assert {session.outcome for session in without} == {"close 1011, no reason"}
    assert all(session.complete for session in again)
    assert drill.time_to_detect_s == without[0].end_s - drill.broken_s
    assert drill.time_to_recover_s == again[0].end_s - drill.broken_s
    assert 0 < drill.time_to_detect_s < drill.time_to_recover_s


def test_the_traffic_is_steady(drill: Drill) -> None:
    users = {session.user_id for session in drill.sessions}
    assert len(users) == 3
    for user in users:
        own = [session for session in drill.sessions if session.user_id == user]
        assert all(one.end_s <= other.start_s for one, other in pairwise(own))
        assert len(own) >= 20


def test_the_traffic_says_when_there_was_no_backend(drill: Drill) -> None:
    restarts = [step for step in drill.steps if step.name == "redeploy"]
    refused = [session for session in drill.sessions if session.outcome == "connection refused"]
    assert refused
    assert all(session.unserved for session in refused)
    for session in refused:
        assert any(step.start_s <= session.start_s <= (step.end_s or 0) for step in restarts)


@pytest.fixture(scope="module")
def journal(drill: Drill) -> dict[str, Any]:
    """The journal of the drill, through JSON and back."""
    return json.loads(json.dumps(drill.journal()))


def test_the_journal_has_chaos_toolkits_form(journal: dict[str, Any]) -> None:
    assert set(journal) == {
        *("experiment", "start", "end", "duration", "status", "deviated"),
        *("steady_states", "run", "rollbacks"),
    }
    assert (journal["status"], journal["deviated"]) == ("completed", False)
    length = datetime.fromisoformat(journal["end"]) - datetime.fromisoformat(journal["start"])
    assert length.total_seconds() == pytest.approx(journal["duration"], abs=1e-5)
    experiment = journal["experiment"]
    assert experiment["title"]
    assert experiment["description"]
    assert experiment["runtime"] == {"rollbacks": {"strategy": "always"}}


def test_the_journal_says_that_the_steady_state_was_met(journal: dict[str, Any]) -> None:
    hypothesis = journal["experiment"]["steady-state-hypothesis"]
    for state in (journal["steady_states"][when] for when in ("before", "after")):
        assert state["steady_state_met"]
        assert [probe["activity"] for probe in state["probes"]] == hypothesis["probes"]
        for probe in state["probes"]:
            assert probe["output"] == probe["activity"]["tolerance"]
            assert probe["tolerance_met"]


def test_the_journal_has_every_run_with_its_times(drill: Drill, journal: dict[str, Any]) -> None:
    experiment = journal["experiment"]
    assert [run["activity"] for run in journal["run"]] == experiment["method"]
    assert [run["activity"] for run in journal["rollbacks"]] == experiment["rollbacks"]
    runs = [*journal["run"], *journal["rollbacks"]]
    assert [run["activity"]["name"] for run in runs] == NAMES[1:]
    for run in runs:
        assert set(run) == {"activity", "output", "status", "start", "end", "duration"}
        assert run["status"] == "succeeded"
        assert datetime.fromisoformat(run["start"]) <= datetime.fromisoformat(run["end"])
    assert runs[2]["output"]["time_to_detect_s"] == drill.time_to_detect_s
    assert runs[-1]["output"]["time_to_recover_s"] == drill.time_to_recover_s
    assert runs[4]["output"]["new_failures"] == []


def test_every_activity_names_code_that_is_there(drill: Drill) -> None:
    experiment = drill.journal()["experiment"]
    activities = [
        *experiment["steady-state-hypothesis"]["probes"],
        *experiment["method"],
        *experiment["rollbacks"],
    ]
    for provider in (activity["provider"] for activity in activities):
        if provider["type"] == "python":
            assert callable(attrgetter(provider["func"])(import_module(provider["module"])))
        else:
            assert (provider["type"], provider["path"]) == ("process", "git")


def test_the_figure_states_what_the_drill_showed(drill: Drill) -> None:
    assert drill_timeline(drill).facts == (
        f"as planned: {', '.join(NAMES)}",
        "fix deployed: every session complete",
        "bug deployed: no session complete",
        "fix reapplied: every session complete",
        "detected: close 1011, no reason",
        "time to detect: measured",
        "time to recover: measured",
        "new failures: none",
    )


# With a step that fails


def conflicting_tree(folder: Path) -> Path:
    """`fixed`, with a commit on top that changes the lines of the fix once more."""
    checkout(told_case().fixed, folder)
    routes = folder / "netra_ws/routes/websocket_ssot.py"
    call = "manager = get_websocket_manager("
    routes.write_text(routes.read_text().replace(call, f"{call}  # one manager a user\n        "))
    git("commit", "--quiet", "--all", "--message", "Say that there is one a user", cwd=folder)
    return folder


def tree_of_a_worse_revert(folder: Path) -> Path:
    """A history whose commit `fixed` mends a package that cannot be imported without it."""
    checkout(told_case().fixed, folder)
    metrics = folder / "netra_ws/metrics.py"
    healthy = metrics.read_bytes()
    metrics.write_bytes(healthy + b"\ndef unfinished(:\n")
    git("commit", "--quiet", "--all", "--message", "Begin something", cwd=folder)
    metrics.write_bytes(healthy)
    git("commit", "--quiet", "--all", "--message", "Take it out again", cwd=folder)
    git("tag", "--force", "fixed", cwd=folder)
    return folder


class Deviating(NamedTuple):
    """Drills in which a step fails for real, all at once; and the trees of two of them."""

    passing: Drill
    conflict: Drill
    worse: Drill
    conflicting_tree: Path
    worse_tree: Path


@pytest.fixture(scope="module")
def deviating(tmp_path_factory: pytest.TempPathFactory) -> Deviating:
    folder = tmp_path_factory.mktemp("deviating")
    conflicting = conflicting_tree(folder / "conflicting")
    worse = tree_of_a_worse_revert(folder / "worse")
    failing = small_project(folder / "failing", "pytest.fail('the bug')")
    passing = small_project(folder / "passing", "pass")

    async def drills() -> list[Drill]:
        return await asyncio.gather(
            run_drill(told_case(), passing),
            run_drill(told_case(), failing, tree=conflicting),
            run_drill(told_case(), failing, tree=worse),
        )

    return Deviating(*asyncio.run(drills()), conflicting, worse)


def test_a_reproduction_that_passes_deviates_and_what_it_missed_is_new(
    deviating: Deviating,
) -> None:
    drill = deviating.passing
    planned = [(name, True) for name in NAMES[:4]]
    assert outcomes(drill) == [
        *planned,
        ("validate", False),
        ("investigate", False),
        *RESTORED,
    ]
    assert drill.verdict == "the drill deviated (failed: validate, investigate)"
    assert drill.steps[4].detail == (
        "expected every fail-to-pass test to fail for its reason, the others to pass, "
        "got: test_it passed"
    )
    assert len(drill.new_failures) == 4
    assert drill.new_failures[0] == (
        "TypeError in create_websocket_manager_ssot: "
        "return await get_websocket_manager(user_context)"
    )
    assert drill.time_to_recover_s is not None
    journal = drill.journal()
    assert (journal["status"], journal["deviated"]) == ("failed", True)
    assert journal["run"][3]["exception"] == [drill.steps[4].detail]
    assert "failed: validate, investigate" in drill_timeline(drill).facts


def test_a_revert_that_conflicts_is_named_and_undone(deviating: Deviating) -> None:
    drill, tree = deviating.conflict, deviating.conflicting_tree
    untried = [(name, None) for name in NAMES[2:6]]
    assert outcomes(drill) == [("steady state", True), ("revert", False), *untried, *RESTORED]
    assert drill.steps[1].detail.startswith(
        "expected the fix to be taken back, git revert failed: "
    )
    needed = ["revert", "redeploy", "revert", "redeploy"]
    assert [step.detail for step in drill.steps[2:6]] == [f"it needs {name}" for name in needed]
    assert git("log", "-1", "--format=%s", cwd=tree) == "Say that there is one a user\n"
    assert git("status", "--porcelain", "--untracked-files=no", cwd=tree) == ""
    assert (drill.broken_s, drill.time_to_detect_s, drill.time_to_recover_s) == (None, None, None)
    assert [run["activity"]["name"] for run in drill.journal()["run"]] == ["revert"]


def test_a_reverted_backend_that_does_not_start_is_replaced_again(deviating: Deviating) -> None:
    drill = deviating.worse
    assert outcomes(drill) == [
        *[("steady state", True), ("revert", True), ("redeploy", False)],
        *[("detect", None), ("validate", True), ("investigate", None)],
        *RESTORED,
    ]
    assert "mend it and start again" in drill.steps[2].detail
    assert git("diff", "--stat", "fixed", cwd=deviating.worse_tree) == ""
    assert drill.sessions[-1].complete


async def test_a_folder_without_the_reproduction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^there is no tests/.* in .*: expected a check"):
        await run_drill(told_case(), tmp_path)


# The command


def command(*arguments: str | Path) -> AbstractContextManager[subprocess.Popen[str]]:
    return leash.started(
        [*COMMAND, "drill", *arguments],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_journal_is_printed_as_json_and_a_drill_as_planned_ends_with_0() -> None:
    with command("--json", "--project", ROOT) as process:
        stdout, stderr = process.communicate(timeout=HANG_S)
    journal = json.loads(stdout)
    assert (journal["status"], journal["deviated"]) == ("completed", False)
    assert (stderr, process.returncode) == ("", 0)


def test_ctrl_c_leaves_out_the_method_and_puts_the_fix_back(tmp_path: Path) -> None:
    project = small_project(tmp_path, "pytest.fail('the bug')")
    lines = []
    with command("--project", project) as process:
        watchdog = threading.Timer(HANG_S, process.kill)
        watchdog.start()
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if "  detect  " in line:
                process.send_signal(signal.SIGINT)
        process.wait(HANG_S)
        watchdog.cancel()
    *steps, detect, recover, verdict = lines
    taken = [re.fullmatch(r"(ok|FAILED) +\d+\.\d\d s  (.{12})  (.+)", line) for line in steps]
    assert [(step[1], step[2].strip()) for step in taken if step] == [
        *[("ok", name) for name in NAMES[:4]],
        ("FAILED", "validate"),
        *[("ok", name) for name in NAMES[6:]],
    ]
    assert steps[4].endswith("  interrupted")
    assert re.fullmatch(r"time to detect  \d+\.\d\d s", detect)
    assert re.fullmatch(r"time to recover \d+\.\d\d s", recover)
    assert verdict == "the drill was interrupted"
    assert process.returncode == 130


async def test_a_tree_with_uncommitted_changes_is_refused_and_left_alone(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    checkout(told_case().fixed, tree)
    glossary = tree / "docs" / "glossary.md"
    glossary.write_text("not committed")
    with pytest.raises(ConfigurationError, match="uncommitted changes"):
        await run_drill(told_case(), ROOT, tree=tree)
    assert glossary.read_text() == "not committed"

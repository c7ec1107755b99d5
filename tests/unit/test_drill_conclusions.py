"""The parts of a drill that need no server: what it concludes from steps, sessions and failures."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from netra_incident.drill import Drill, Step, TrafficSession
from netra_incident.drill.activities import PLAN
from netra_incident.drill.failures import errors_logged, errors_seen, failed_tests
from netra_incident.drill.threads import in_thread, to_the_end
from netra_incident.proof import suite

STEPS = tuple(
    Step(activity, place, place + 1, True, "as expected") for place, activity in enumerate(PLAN)
)


def session(start_s: float, outcome: str) -> TrafficSession:
    return TrafficSession("ada", start_s, start_s + 0.25, outcome)


def drill(*sessions: TrafficSession) -> Drill:
    """A drill with a step a second: the fix is gone from 3 on, and back from 8 on."""
    return Drill(datetime.now(UTC), STEPS, sessions, 3.0, 8.0)


HEALTHY, LOST, GONE = "complete", "close 1011, no reason", "connection refused"


def test_the_times_count_from_the_broken_backend_to_the_ends_of_sessions() -> None:
    found = drill(session(2.9, LOST), session(3, HEALTHY), session(3.5, LOST), session(8, HEALTHY))
    assert found.time_to_detect_s == 0.75
    assert found.time_to_recover_s == 5.25


def test_a_restart_is_neither_a_detection_nor_a_recovery() -> None:
    found = drill(session(3, HEALTHY), session(6.5, GONE), session(7.5, GONE), session(8, GONE))
    assert found.detected is None
    assert found.recovered is None
    assert (found.time_to_detect_s, found.time_to_recover_s) == (None, None)


@pytest.mark.parametrize("outcome", [GONE, "no handshake", "HTTP 503", "close 1012, restarting"])
def test_a_session_without_a_backend_is_told_from_one_that_failed(outcome: str) -> None:
    assert session(1, outcome).unserved
    assert not session(1, LOST).unserved
    assert not session(1, HEALTHY).unserved


def test_a_drill_deviates_by_a_step_that_fails_is_left_out_or_not_tried() -> None:
    planned = drill()
    first, *others = STEPS
    assert not planned.deviated
    for ok, said in ((False, "failed"), (None, "not tried")):
        steps = (replace(first, ok=ok), *others)
        found = replace(planned, steps=steps)
        assert found.deviated
        assert found.verdict == f"the drill deviated ({said}: steady state)"
        assert repr(found).splitlines()[0] == f"steady state  {said}: as expected"
    assert replace(planned, steps=STEPS[:-1]).deviated
    assert replace(planned, interrupted=True).verdict == "the drill was interrupted"


def test_the_journal_leaves_out_what_was_not_tried_and_says_what_failed() -> None:
    steps = [replace(step, ok=place != 1) for place, step in enumerate(STEPS)]
    steps[2] = replace(STEPS[2], ok=None)
    journal = replace(drill(), steps=tuple(steps)).journal()
    assert journal["status"] == "failed"
    names = [run["activity"]["name"] for run in journal["run"]]
    assert names == ["revert", "detect", "validate", "investigate"]
    assert journal["run"][0]["status"] == "failed"
    assert journal["run"][0]["exception"] == ["as expected"]
    assert replace(drill(), interrupted=True).journal()["status"] == "interrupted"
    nothing = Drill(datetime.now(UTC), (), ()).journal()
    assert nothing["steady_states"] == {"before": None, "after": None, "during": []}


def test_failures_of_tests_and_of_a_log_are_told_alike_wherever_the_lines_stand() -> None:
    run = suite.Run(
        (
            suite.Test(
                "t.py",
                "test_a",
                "failed",
                "Boom: x\nmore",
                seen={"error": ("E at p/a.py:3 in f:   x()",)},
            ),
            suite.Test(
                "t.py", "test_b", "error", seen={"error": ("E at p/a.py:7 in f: x()", "as it is")}
            ),
            suite.Test("t.py", "test_c", "passed", seen={"error": ("E at p/a.py:9 in g: y()",)}),
        )
    )
    log = [
        {"event": "listening"},
        {
            "error": {
                "type": "E",
                "message": "",
                "where": "p/a.py:4",
                "function": "f",
                "line": "x()",
            }
        },
        {"error": {"type": "OSError", "message": ""}},
    ]
    assert failed_tests(run) == ["test test_a: Boom: x", "test test_b: error"]
    assert errors_seen(run) == ["E in f: x()", "as it is"]
    assert errors_logged(log) == ["E in f: x()", "OSError, outside the package"]


async def test_what_must_come_to_its_end_does_however_often_it_is_cancelled() -> None:
    may_end, ended = asyncio.Event(), []

    async def work() -> None:
        await may_end.wait()
        ended.append("work")

    task = asyncio.create_task(to_the_end(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["work"]


async def test_what_a_thread_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)

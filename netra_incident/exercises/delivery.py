"""Exercises about delivery: the reader writes a check, which is tried on recorded sessions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from netra_incident.case import told_case
from netra_incident.exercises.verdict import Exercise, Verdict, measured, right, wrong
from netra_incident.history.control import leaky_tree
from netra_incident.history.deployment import Deployment, deploy
from netra_incident.measuring.load import Session, isolation, run_sessions

Matrix = Mapping[str, Counter[str]]


def _said(answer: Callable[[Any], Any], given: Any) -> bool | str:
    """Return what the reader's function says of a copy of `given`, or how it failed."""
    try:
        said = answer(deepcopy(given))
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    return said if isinstance(said, bool) else f"returned {said!r}, expected True or False"


def _compare(answer: Any, cases: Mapping[str, tuple[Any, bool, str]], success: str) -> Verdict:
    """Return the verdict on a function; `cases`: what to ask, what is right, and why."""
    if not callable(answer):
        return wrong(f"Expected a function, got {type(answer).__name__}.")
    for name, (given, expected, why) in cases.items():
        said = _said(answer, given)
        if said is not expected:
            came = said if isinstance(said, str) else f"said {said}"
            return wrong(f"For {name} it {came}; expected {expected}: {why}")
    return right(success)


def _sessions(deployment: Deployment, users: int = 2) -> list[Session]:
    return measured(run_sessions(deployment, users=users, each=1))


def _judge_isolated(answer: Any) -> Verdict:
    if not callable(answer):
        return wrong(f"Expected a function, got {type(answer).__name__}.")
    case = told_case()
    with deploy(case.buggy) as buggy, deploy(case.fixed) as fixed:
        broken, working = _sessions(buggy), _sessions(fixed)
    with leaky_tree(case) as tree, deploy(tree=tree) as server:
        leaky = _sessions(server)
    cases = {
        "the fixed server": (isolation(working), True, "each user got events, all their own."),
        "the leaky control": (isolation(leaky), False, "users got events of others."),
        "the buggy server": (
            isolation(broken),
            False,
            "nobody got any event. Nothing could leak, so nothing is shown: that is absence.",
        ),
    }
    return _compare(answer, cases, "True on fixed; False where events leak and where none come.")


ISOLATED = Exercise(
    "isolated",
    "06",
    "Write `def isolated(matrix)`: whether it shows isolation. matrix[recipient][owner]\n"
    "is a number of events. It is tried on three servers: buggy, fixed and the leaky control.",
    _judge_isolated,
)


def _judge_whole(answer: Any) -> Verdict:
    if not callable(answer):
        return wrong(f"Expected a function, got {type(answer).__name__}.")
    with deploy(told_case().fixed) as fixed:
        [session] = _sessions(fixed, users=1)
    run = [received.text for received in session.events]
    *earlier, last = run
    changed = earlier[1].replace('"step":1', '"step":2')
    assert changed != earlier[1], earlier[1]
    cases = {
        "the run as it arrived": (run, True, "nothing is missing."),
        "the run without its second message": (
            [run[0], *run[2:]],
            False,
            "the last message says how many there were.",
        ),
        "the run without its last message": (earlier, False, "it never ended."),
        "the run with one message changed": (
            [run[0], changed, *run[2:]],
            False,
            "the count agrees and the digest does not.",
        ),
        "the run with two messages changed places": (
            [run[1], run[0], *run[2:]],
            False,
            "the digest is over the messages in their order.",
        ),
        "no message at all": ([], False, "there is nothing that says it was whole."),
    }
    success = f"The {json.loads(last)['payload']['events']} messages pass, and five damages do not."
    return _compare(answer, cases, success)


A_WHOLE_RUN = Exercise(
    "a whole run",
    "06",
    "Write `def whole(messages)`: whether a list of messages, each the text of an event, is a\n"
    "whole run. It is tried on one from a server, as it arrived and damaged in five ways.",
    _judge_whole,
)

"""The exercise about test doubles: it runs the test with the one that was chosen."""

from __future__ import annotations

from typing import Any

from netra_incident.case import told_case
from netra_incident.exercises.verdict import Exercise, Verdict, listed, right, wrong
from netra_incident.proof.doubles import compare_doubles


def _judge_double(answer: Any) -> Verdict:
    case = told_case()
    outcomes = compare_doubles([case.before, case.buggy]).outcomes
    before, buggy = outcomes["before"], outcomes["buggy"]
    if answer not in before:
        return wrong(f"There is no {answer!r} in the table: expected one of {listed(before)}.")
    came = f"With {answer} the test gave {before[answer]} on before and {buggy[answer]} on buggy"
    if before[answer] != "passed":
        return wrong(
            f"{came}: red on the healthy revision already, so nobody could have kept such a test."
        )
    if buggy[answer] == "passed":
        return wrong(
            f"{came}: green on both. Whatever it returns can be awaited, so the test says nothing "
            f"about the function that it stands for."
        )
    return right(f"{came}: green while all is well, red with the bug.")


A_DOUBLE_THAT_TELLS = Exercise(
    "a double that tells",
    "03",
    "Which way of replacing the factory, or of not replacing it, would have turned a test red\n"
    "with the bug and not before? Give its name as in the table, for instance 'MagicMock()'.",
    _judge_double,
)

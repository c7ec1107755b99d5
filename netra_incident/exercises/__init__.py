"""Exercises: `check` judges an answer by measuring, and says why it is wrong."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

from netra_incident.exercises import colours, delivery, doubles, mending, observing, trials
from netra_incident.exercises.verdict import Exercise, Verdict

__all__ = ["EXERCISES", "Exercise", "Verdict", "check"]

EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise
    for exercise in (
        observing.A_NUMBER_THAT_TELLS,
        colours.ONE_OF_EACH,
        observing.A_KILLED_SERVER,
        observing.THE_FOUR_LINES,
        doubles.A_DOUBLE_THAT_TELLS,
        mending.YOUR_FIX,
        trials.MORE_THAN_95,
        delivery.ISOLATED,
        delivery.A_WHOLE_RUN,
        observing.AFTER_THE_ROLL_BACK,
        colours.ONE_NAME_TWO_COLOURS,
    )
}
"""Every exercise by its name, in the order of the pages."""


def check(name: str, answer: Any = ...) -> Verdict:
    """Return the verdict on an answer; for three dots, what there is to do.

    Raises `LookupError` if there is no such exercise; its message names those that there are.
    """
    try:
        exercise = EXERCISES[name]
    except KeyError:
        known = ", ".join(repr(one) for one in EXERCISES)
        raise LookupError(f"no exercise {name!r}: expected one of {known}") from None
    if isinstance(answer, EllipsisType):
        return Verdict(None, f"{exercise.task}\nPut your answer in the place of the three dots.")
    return exercise.judge(answer)

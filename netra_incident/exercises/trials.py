"""The exercise about what a number of trials proves."""

from __future__ import annotations

from typing import Any

from netra_incident.exercises.verdict import Exercise, Verdict, right, wrong
from netra_incident.measuring.statistics import TARGET, wilson

TRIALS = 200


def _judge_successes(answer: Any) -> Verdict:
    if not isinstance(answer, int) or isinstance(answer, bool):
        return wrong(f"Expected a whole number of sessions, got {answer!r}.")
    if not 0 <= answer <= TRIALS:
        return wrong(f"Expected a number from 0 to {TRIALS}, got {answer}.")
    low, _ = wilson(answer, TRIALS)
    shown = f"{answer} of {TRIALS} is {answer / TRIALS:.1%}, and shows a rate above {low:.1%}"
    if low <= TARGET:
        return wrong(f"{shown}: not above {TARGET:.0%}. The interval has two ends; take the lower.")
    fewer, _ = wilson(answer - 1, TRIALS)
    if fewer > TARGET:
        return wrong(
            f"{shown}: that is enough, but so is one fewer ({fewer:.1%}). Which is the least?"
        )
    return right(f"{shown}. One fewer shows no more than {fewer:.1%}.")


MORE_THAN_95 = Exercise(
    "more than 95 %",
    "05",
    f"Of {TRIALS} sessions, at least how many must complete to show a rate above {TARGET:.0%}?\n"
    "`wilson(successes, trials)` gives both ends of the interval.",
    _judge_successes,
)

"""Many golden paths: what they prove together."""

from __future__ import annotations

import pytest

from netra_incident.measuring.statistics import trials_needed, wilson
from netra_incident.probe import ProbeResult, Step
from netra_incident.probe.repetition import Repetition


def path_of(**wrong: bool | None) -> ProbeResult:
    """Return a path on which one step took a second."""
    states = dict.fromkeys(("connect", "digest"), True) | wrong
    steps = tuple(
        Step(name, ok, None if ok is None else 1.0, 2.0, "") for name, ok in states.items()
    )
    return ProbeResult("http://x", "http://x", steps)


def test_a_step_that_failed_now_and_then_failed() -> None:
    paths = [*[path_of()] * 98, path_of(connect=False, digest=None), path_of(digest=False)]
    repetition = Repetition(paths, 0.5)
    assert (repetition.ok, repetition.successes) == (False, 98)
    assert repetition.verdict == repr(repetition) == "the golden path failed 2 of 100 times"
    details = ["failed 1 of 100 times, first: ", "failed 1 of 100 times, first: "]
    assert [(step.ok, step.detail) for step in repetition.steps] == [(False, d) for d in details]


def test_a_step_that_was_not_always_tried_says_so() -> None:
    repetition = Repetition([path_of(), path_of(connect=False, digest=None)], 0.5)
    assert repetition.steps[1] == Step("digest", True, 1.0, 2.0, "not tried 1 of 2 times")


@pytest.mark.parametrize("share", [0, 0.3, 0.5, 0.9, 0.95, 0.99, 0.999])
def test_the_fewest_trials_that_prove_a_rate(share: float) -> None:
    n = trials_needed(share)
    assert wilson(n, n)[0] > share >= wilson(n - 1, n - 1)[0]


@pytest.mark.parametrize("share", [-0.1, 1, 1.5])
def test_no_number_of_trials_proves_certainty(share: float) -> None:
    with pytest.raises(ValueError, match="expected 0 <= share < 1"):
        trials_needed(share)

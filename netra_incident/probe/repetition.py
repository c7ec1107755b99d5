"""The golden path many times over: what the number of successes proves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netra_incident.measuring.statistics import trials_needed, wilson
from netra_incident.probe.walk import ProbeResult, Step


@dataclass(frozen=True, repr=False)
class Repetition:
    """The paths in their order, at least one, and the success rate that they are to prove."""

    paths: Sequence[ProbeResult]
    min_success: float

    @property
    def successes(self) -> int:
        """Return how many paths held."""
        return sum(path.ok for path in self.paths)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the Wilson 95 % interval of the success rate."""
        return wilson(self.successes, len(self.paths))

    @property
    def ok(self) -> bool:
        """Whether every path held, and they are enough to prove the rate."""
        return self.successes == len(self.paths) and self.interval[0] > self.min_success

    @property
    def steps(self) -> list[Step]:
        """Return each step over all paths: its slowest time, and how often it failed and why.

        A step that failed once failed; one that did not hold in any path was not tried.
        """
        return [
            _over_all(steps) for steps in zip(*(path.steps for path in self.paths), strict=True)
        ]

    @property
    def verdict(self) -> str:
        """Return what follows, in one line."""
        n, low = len(self.paths), f"{self.interval[0]:.1%}".replace("%", " %")
        wanted = f"{self.min_success * 100:g} %"
        if self.successes < n:
            return f"the golden path failed {n - self.successes} of {n} times"
        if not self.ok:
            needed = trials_needed(self.min_success)
            return f"{n} of {n} show no more than {low}: use --repeat {needed} or more"
        return f"the golden path held {n} of {n} times: the success rate is over {wanted}"

    def __repr__(self) -> str:
        """Return the verdict, which names no address and no time."""
        return self.verdict


def _over_all(steps: Sequence[Step]) -> Step:
    failed = [step for step in steps if step.ok is False]
    times = [step.seconds for step in steps if step.seconds is not None]
    tried = len([step for step in steps if step.ok is not None])
    detail = ""
    if failed:
        detail = f"failed {len(failed)} of {len(steps)} times, first: {failed[0].detail}"
    elif tried < len(steps):
        detail = f"not tried {len(steps) - tried} of {len(steps)} times"
    ok = False if failed else (True if tried else None)
    return Step(steps[0].name, ok, max(times, default=None), steps[0].limit_s, detail)

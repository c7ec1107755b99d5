"""The record of a drill: its steps, its traffic, and its journal in Chaos Toolkit's words.

The journal has the form that https://chaostoolkit.org/reference/api/journal/ describes, so that
what reads journals of chaos experiments reads this one. It differs in one thing: the steady state
`after` is measured when the rollbacks are done and not before, since the method breaks the
deployment on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from netra_incident.drill.activities import (
    EXPERIMENT,
    HYPOTHESIS,
    METHOD,
    PLAN,
    ROLLBACKS,
    Activity,
    Part,
)
from netra_incident.drill.traffic import TrafficSession


@dataclass(frozen=True)
class Measure:
    """What a probe of the steady state found."""

    activity: Activity
    output: int
    start_s: float
    end_s: float

    @property
    def met(self) -> bool:
        """Whether it is what a steady state asks for."""
        return self.output == self.activity.tolerance


@dataclass(frozen=True)
class Step:
    """A step as it came out; seconds since the traffic began.

    `ok` is `None` for a step that was not tried, or is still going on: then `end_s` is `None` as
    well. `detail` says what came, and what was expected if that is something else. `output` is
    that for a program.
    """

    activity: Activity
    start_s: float
    end_s: float | None = None
    ok: bool | None = None
    detail: str = ""
    output: dict[str, Any] | None = None
    measures: tuple[Measure, ...] = ()

    @property
    def name(self) -> str:
        """The name, which is that of another step for ``redeploy``."""
        return self.activity.name

    @property
    def what(self) -> str:
        """What the step does, in a few words."""
        return self.activity.what

    @property
    def seconds(self) -> float:
        """How long it took; 0 for one that has not ended."""
        return 0.0 if self.end_s is None else self.end_s - self.start_s


OUTCOMES = {True: "ok", False: "failed", None: "not tried"}


@dataclass(frozen=True, repr=False)
class Drill:
    """A drill from its first step to its last; seconds since the traffic began, at `began`.

    `broken_s` and `mended_s` are when the backend without the fix, and the one with it again, were
    known to listen: `None` if that never came. `new_failures` are those that the reproduction on
    `buggy` does not show.
    """

    began: datetime
    steps: tuple[Step, ...]
    sessions: tuple[TrafficSession, ...]
    broken_s: float | None = None
    mended_s: float | None = None
    new_failures: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def deviated(self) -> bool:
        """Whether anything came otherwise than planned."""
        as_planned = [step for step in self.steps if step.ok]
        return self.interrupted or len(as_planned) < len(PLAN)

    @property
    def investigated(self) -> bool:
        """Whether the failures were compared, whatever that showed."""
        return any(step.name == "investigate" and step.output for step in self.steps)

    @property
    def detected(self) -> TrafficSession | None:
        """The first session that began after the fix was gone, and did not complete."""
        back_s = min((step.start_s for step in self.part(ROLLBACKS)), default=math.inf)
        return self._first(self.broken_s, back_s, complete=False)

    @property
    def recovered(self) -> TrafficSession | None:
        """The first complete session that began after the fix was back."""
        return self._first(self.mended_s, math.inf, complete=True)

    @property
    def time_to_detect_s(self) -> float | None:
        """From the backend without the fix listening to the end of the session `detected`."""
        return self._since_broken(self.detected)

    @property
    def time_to_recover_s(self) -> float | None:
        """From the backend without the fix listening to the end of the session `recovered`."""
        return self._since_broken(self.recovered)

    def _first(
        self, since_s: float | None, until_s: float, *, complete: bool
    ) -> TrafficSession | None:
        if since_s is None:
            return None
        found = (one for one in self.sessions if since_s <= one.start_s < until_s)
        return next((one for one in found if one.complete is complete), None)

    def _since_broken(self, session: TrafficSession | None) -> float | None:
        if session is None or self.broken_s is None:
            return None
        return session.end_s - self.broken_s

    @property
    def verdict(self) -> str:
        """How the drill came out, in one line."""
        if self.interrupted:
            return "the drill was interrupted"
        if self.deviated:
            names = {
                OUTCOMES[ok]: [step.name for step in self.steps if step.ok is ok]
                for ok in (False, None)
            }
            words = [f"{outcome}: {', '.join(which)}" for outcome, which in names.items() if which]
            return f"the drill deviated ({'; '.join(words)})"
        return "the drill went as planned"

    def __repr__(self) -> str:
        """Return a line for each step and the verdict, without times, as a notebook shows it."""
        width = max((len(step.name) for step in self.steps), default=0)
        lines = [f"{step.name:{width}}  {OUTCOMES[step.ok]}: {step.detail}" for step in self.steps]
        return "\n".join([*lines, self.verdict])

    def part(self, part: Part) -> list[Step]:
        """Return the steps of one part that were tried."""
        return [step for step in self.steps if step.activity.part == part and step.ok is not None]

    def journal(self) -> dict[str, Any]:
        """Return everything as a journal, for a program."""
        end_s = max((step.end_s or step.start_s for step in self.steps), default=0.0)
        before, rollbacks = self.part(HYPOTHESIS), self.part(ROLLBACKS)
        status = "failed" if self.deviated else "completed"
        return {
            "experiment": EXPERIMENT,
            "start": self._moment(0.0),
            "end": self._moment(end_s),
            "duration": end_s,
            "status": "interrupted" if self.interrupted else status,
            "deviated": self.deviated,
            "steady_states": {
                "before": self._steady_state(before),
                "after": self._steady_state(step for step in rollbacks if step.name == "verify"),
                "during": [],
            },
            "run": [self._run(step) for step in self.part(METHOD)],
            "rollbacks": [self._run(step) for step in rollbacks],
        }

    def _moment(self, seconds: float) -> str:
        return (self.began + timedelta(seconds=seconds)).isoformat()

    def _steady_state(self, steps: Iterable[Step]) -> dict[str, Any] | None:
        for step in steps:
            probes = [
                {
                    "activity": measure.activity.as_json(),
                    "output": measure.output,
                    "status": "succeeded",
                    **self._times(measure.start_s, measure.end_s),
                    "tolerance_met": measure.met,
                }
                for measure in step.measures
            ]
            return {"steady_state_met": step.ok, "probes": probes}
        return None

    def _run(self, step: Step) -> dict[str, Any]:
        assert step.end_s is not None
        times = {
            "detect": {"time_to_detect_s": self.time_to_detect_s},
            "verify": {"time_to_recover_s": self.time_to_recover_s},
        }
        run = {
            "activity": step.activity.as_json(),
            "output": {**(step.output or {}), **times.get(step.name, {})} or None,
            "status": "succeeded" if step.ok else "failed",
            **self._times(step.start_s, step.end_s),
        }
        return run if step.ok else {**run, "exception": [step.detail]}

    def _times(self, start_s: float, end_s: float) -> dict[str, Any]:
        start, end = self._moment(start_s), self._moment(end_s)
        return {"start": start, "end": end, "duration": end_s - start_s}

"""The rehearsal: the steps of a drill in their order, each within its time, and always back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from netra_incident.case import Case
from netra_incident.drill.activities import PLAN, ROLLBACKS, Activity
from netra_incident.drill.journal import Drill, Step
from netra_incident.drill.stage import Outcome, Stage
from netra_incident.drill.threads import to_the_end
from netra_ws.errors import ConfigurationError

LIMIT_S = 180.0
"""For all that comes before the rollbacks. The rollbacks together have as much by `LIMITS_S`."""

LIMITS_S = {
    "steady state": 60.0,
    "revert": 30.0,
    "redeploy": 90.0,
    "detect": 60.0,
    "validate": 120.0,
    "investigate": 60.0,
    "reapply": 30.0,
    "verify": 60.0,
}
"""After how long each step hangs: ten times what it takes, and more. A server that hangs while it
starts or stops is not left behind: the limits of `netra_incident.history.deployment` end it, and
the step with it."""

NEEDS = {
    "revert": "steady state",
    "redeploy": "revert",
    "detect": "redeploy",
    "validate": "revert",
    "investigate": "redeploy",
}
"""The step without which a step before the rollbacks cannot be tried."""

Progress = Callable[[Step], object]
"""Called when a step begins, then without an end, and when it has ended."""


class Rehearsal:
    """One drill; arguments as of `run_drill`."""

    def __init__(
        self,
        case: Case,
        project: Path,
        *,
        tree: Path | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        self._case = case
        self._project = project
        self._tree = tree
        self._progress = progress
        self._steps: list[Step] = []
        self._stage: Stage | None = None
        self._interrupted = False
        self._untold: Exception | None = None

    @property
    def drill(self) -> Drill:
        """What there is of the drill: all of it, once `run` has ended in whatever way."""
        steps, stage = tuple(self._steps), self._stage
        if stage is None:
            return Drill(datetime.now(UTC), steps, (), interrupted=self._interrupted)
        return Drill(
            stage.began,
            steps,
            tuple(stage.traffic.sessions),
            stage.broken_s,
            stage.mended_s,
            stage.new_failures,
            self._interrupted,
        )

    async def run(self) -> Drill:
        """Carry out the drill; see `run_drill`."""
        if find_spec("pytest") is None:
            msg = "pytest is not installed; in a clone of netra_ws: pip install '.[test]'"
            raise ConfigurationError(msg)
        try:
            async with Stage(self._case, self._project, self._tree) as stage:
                self._stage = stage
                try:
                    for activity in PLAN:
                        if activity.part != ROLLBACKS:
                            await self._try(stage, activity)
                finally:
                    await to_the_end(self._restore(stage))
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._interrupted = True
            raise
        if self._untold is not None:
            raise self._untold
        return self.drill

    async def _restore(self, stage: Stage) -> None:
        for activity in PLAN:
            if activity.part == ROLLBACKS:
                await self._take(stage, activity, LIMITS_S[activity.name])

    async def _try(self, stage: Stage, activity: Activity) -> None:
        """Take a step, or note that it cannot be tried."""
        needed = NEEDS.get(activity.name)
        if needed in [step.name for step in self._steps if step.ok is not True]:
            now = stage.clock()
            self._note(Step(activity, now, now, None, f"it needs {needed}"))
        else:
            limit_s = min(LIMITS_S[activity.name], LIMIT_S - stage.clock())
            await self._take(stage, activity, limit_s)

    async def _take(self, stage: Stage, activity: Activity, limit_s: float) -> None:
        began = Step(activity, stage.clock())
        self._tell(began)
        try:
            async with asyncio.timeout(limit_s) as timer:
                outcome = await _action(stage, activity)()
        except asyncio.CancelledError:
            stage.hurry()
            self._note(replace(began, end_s=stage.clock(), ok=False, detail="interrupted"))
            raise
        # Whatever a step breaks with, the rollbacks must follow.
        except Exception as error:
            late = f"expected an end within {limit_s:.3g} s, it did not come"
            said = f"expected to {activity.what}, got {type(error).__name__}: {error}"
            outcome = Outcome(False, late if timer.expired() else said)
        self._note(replace(began, end_s=stage.clock(), **outcome._asdict()))

    def _note(self, step: Step) -> None:
        self._steps.append(step)
        self._tell(step)

    def _tell(self, step: Step) -> None:
        """Call the progress; what it raises waits until the rollbacks are done."""
        try:
            self._progress(step)
        except Exception as error:
            self._untold = self._untold or error


def _action(stage: Stage, activity: Activity) -> Callable[[], Awaitable[Outcome]]:
    back = activity.part == ROLLBACKS
    return {
        "steady state": stage.steady_state,
        "revert": stage.revert,
        "redeploy": stage.deploy_mended if back else stage.deploy_broken,
        "detect": stage.detect,
        "validate": stage.validate,
        "investigate": stage.investigate,
        "reapply": stage.reapply,
        "verify": stage.steady_state,
    }[activity.name]


async def run_drill(
    case: Case,
    project: Path,
    *,
    tree: Path | None = None,
    progress: Progress = lambda _: None,
) -> Drill:
    """Rehearse the emergency rollback and return what came of it.

    `project` is a checkout of the project, for its tests. `tree` is a checkout of the history that
    has the fix, to which the drill adds two commits; without one it is a scratch checkout.

    A step that fails is in the drill, and the rollbacks are carried out whatever happens. When
    cancelled, the drill leaves out the rest of the method, carries out the rollbacks, and ends as
    cancelled. Raises `ConfigurationError` if it cannot begin: no git, no pytest, no tests in the
    project, or a deployment that does not start.
    """
    return await Rehearsal(case, project, tree=tree, progress=progress).run()

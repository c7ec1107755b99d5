"""What a drill consists of: the emergency rollback of the plan, as an experiment.

The words are those of Chaos Toolkit (https://chaostoolkit.org/reference/api/experiment/): a
hypothesis about the steady state, a method that disturbs it, and rollbacks that restore it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from netra_incident.measuring.load import ENDPOINTS

Part = Literal["steady-state-hypothesis", "method", "rollbacks"]
HYPOTHESIS: Part = "steady-state-hypothesis"
METHOD: Part = "method"
ROLLBACKS: Part = "rollbacks"

STEADY_SESSIONS = 30
"""Sessions in a row that must be complete for a steady state."""


class Activity(NamedTuple):
    """One thing that the drill does: an action changes something, a probe looks at it.

    `provider` is the code that does it: a git command, or a module and a name in it.
    """

    part: Part
    kind: Literal["action", "probe"]
    name: str
    what: str
    provider: tuple[str, str]
    tolerance: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as an activity of an experiment."""
        where, call = self.provider
        provider = (
            {"type": "process", "path": "git", "arguments": call}
            if where == "git"
            else {"type": "python", "module": where, "func": call}
        )
        activity = {"type": self.kind, "name": self.name, "provider": provider}
        return activity if self.tolerance is None else {**activity, "tolerance": self.tolerance}


SESSIONS = Activity(
    HYPOTHESIS,
    "probe",
    "sessions complete in a row",
    "see complete sessions",
    ("netra_incident.drill.traffic", "Traffic.complete_in_a_row"),
    STEADY_SESSIONS,
)
ANSWERS = Activity(
    HYPOTHESIS,
    "probe",
    "endpoints that answer 200",
    "see health, configuration and statistics answer",
    ("netra_incident.measuring.load", "probe_endpoints"),
    len(ENDPOINTS),
)


def _on_stage(
    part: Part, kind: Literal["action", "probe"], name: str, what: str, call: str
) -> Activity:
    return Activity(part, kind, name, what, ("netra_incident.drill.stage", f"Stage.{call}"))


STEADY = "see sessions complete and endpoints answer"

PLAN = (
    _on_stage(HYPOTHESIS, "probe", "steady state", STEADY, "steady_state"),
    Activity(METHOD, "action", "revert", "take the fix back", ("git", "revert --no-edit fixed")),
    _on_stage(METHOD, "action", "redeploy", "replace the backend", "deploy_broken"),
    _on_stage(METHOD, "probe", "detect", "see a session that does not complete", "detect"),
    _on_stage(METHOD, "probe", "validate", "see the reproduction fail again", "validate"),
    _on_stage(METHOD, "probe", "investigate", "compare the failures with buggy", "investigate"),
    Activity(ROLLBACKS, "action", "reapply", "put the fix back", ("git", "revert --no-edit HEAD")),
    _on_stage(ROLLBACKS, "action", "redeploy", "replace the backend", "deploy_mended"),
    _on_stage(ROLLBACKS, "probe", "verify", STEADY, "steady_state"),
)
"""The steps in their order. The rollbacks are carried out whatever became of the others."""

EXPERIMENT: dict[str, Any] = {
    "version": "1.0.0",
    "title": "The fix can be taken back, and applied again",
    "description": "The emergency rollback of the test execution plan, on a local staging "
    "deployment under steady traffic: revert the fix, deploy that, notice it, see the "
    "reproduction fail again, look for new failures, apply the fix again.",
    "steady-state-hypothesis": {
        "title": "Sessions complete and the endpoints answer",
        "probes": [SESSIONS.as_json(), ANSWERS.as_json()],
    },
    "method": [activity.as_json() for activity in PLAN if activity.part == METHOD],
    "rollbacks": [activity.as_json() for activity in PLAN if activity.part == ROLLBACKS],
    "runtime": {"rollbacks": {"strategy": "always"}},
}

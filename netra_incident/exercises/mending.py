"""The main exercise: mend a copy of the broken revision; it is deployed and tried."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from netra_incident.exercises.verdict import Exercise, Verdict, measured, right, wrong
from netra_incident.history.deployment import deploy
from netra_incident.measuring.comparison import Measurement, measure
from netra_incident.measuring.load import ENDPOINTS
from netra_ws.errors import ConfigurationError

NEXT = "`netra-ws verify --tree` judges it with every test of the incident."


def _places(failures: dict[str, dict[str, str]]) -> str:
    return "; ".join(
        f"{route}: {error['type']} at {error['where']}: {error['line']}"
        for route, error in sorted(failures.items())
    )


def _judge_tree(answer: Any) -> Verdict:
    if not isinstance(answer, (str, os.PathLike)):
        return wrong(f"Expected the path of a folder, got {type(answer).__name__}.")
    tree = Path(answer)
    if not tree.is_dir():
        return wrong(f"There is no folder {tree.name}: make it with `netra-ws checkout buggy`.")
    try:
        with deploy(tree=tree) as server:
            found: Measurement = measured(measure(server, users=2, each=1))
            failures = server.failures()
    except ConfigurationError as error:
        return wrong(f"{tree.name} does not start: {error}")
    if failures:
        return wrong(
            f"{len(failures)} of {len(ENDPOINTS) + 1} routes still raise. {_places(failures)}"
        )
    completed = sum(session.completed for session in found.sessions)
    if completed < len(found.sessions):
        [*_, last] = found.sessions
        return wrong(
            f"Nothing raises, and {completed} of {len(found.sessions)} sessions complete: "
            f"{last.outcome}. An error that is caught and dropped is not mended."
        )
    if refused := {path: code for path, code in found.endpoints.items() if code != 200}:
        return wrong(f"The sessions complete, but {refused}: expected 200 from each endpoint.")
    return right(f"Both sessions complete, three endpoints answer 200, no route raised. {NEXT}")


YOUR_FIX = Exercise(
    "your fix",
    "04",
    "In a terminal: `netra-ws checkout buggy --into build/attempt`. Mend the copy in an editor,\n"
    "then give its path, seen from this notebook: check('your fix', '../build/attempt').",
    _judge_tree,
)

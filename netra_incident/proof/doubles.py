"""Test doubles for the factory: which of them hide an await that should not be there.

`python -m netra_incident.proof.doubles` tries them on the package that it belongs to.
"""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock, create_autospec, patch

import msgspec

from netra_incident.case import Revision
from netra_incident.history.checkout import scratch_checkout
from netra_incident.history.tree import commit_of, tree_environment
from netra_incident.table import Table
from netra_ws.context import UserExecutionContext
from netra_ws.manager import (
    ManagerRegistry,
    get_websocket_manager,
    install_registry,
    remove_registry,
)
from netra_ws.routes import websocket_ssot

TARGET = "get_websocket_manager"
TIMEOUT_S = 120.0


async def _outcome() -> str:
    """Return what becomes of a test that asks a route for a manager: ``passed`` or an error."""
    try:
        returned = await websocket_ssot.create_websocket_manager_ssot(UserExecutionContext("ada"))
    except TypeError as error:
        return type(error).__name__
    if inspect.iscoroutine(returned):
        returned.close()
    return "passed"


async def try_doubles() -> dict[str, str]:
    """Return how the test comes out with each double, and with the factory itself."""
    replacements: dict[str, tuple[Any, ...]] = {
        "AsyncMock()": (AsyncMock(),),
        "MagicMock()": (MagicMock(),),
        "create_autospec(…)": (create_autospec(get_websocket_manager),),
        "patch(…)": (),
    }
    outcomes = {}
    for name, replacement in replacements.items():
        with patch.object(websocket_ssot, TARGET, *replacement):
            outcomes[name] = await _outcome()
    registry = ManagerRegistry()
    install_registry(registry)
    try:
        outcomes["no double"] = await _outcome()
    finally:
        remove_registry(registry)
    return outcomes


class Doubles(Table):
    """How one test comes out with each double, revision beside revision."""

    def __init__(self, outcomes: dict[str, dict[str, str]]) -> None:
        names = next(iter(outcomes.values()))
        rows = [[name, *(of[name] for of in outcomes.values())] for name in names]
        super().__init__(("", *outcomes), rows)
        self.outcomes = outcomes


def compare_doubles(revisions: Sequence[Revision]) -> Doubles:
    """Try the doubles on each of these revisions, in processes of their own."""
    outcomes = {}
    for revision in revisions:
        with scratch_checkout(revision) as tree:
            outcomes[revision.name] = _try_on(tree)
    return Doubles(outcomes)


def _try_on(tree: Path) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__],
        env=tree_environment(tree, commit_of(tree), str(tree)),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=dict[str, str])


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(asyncio.run(try_doubles())).decode())

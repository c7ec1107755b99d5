"""What only a process of its own can show: what it imports, and what it makes after a fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from limits import HANG_S
from processes import clean_environment


def run(code: str) -> list[str]:
    """Return the words that a new process prints for this code."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=True,
    )
    return done.stdout.split()


def imported(code: str) -> set[str]:
    """Return the top-level packages and our modules that a new process has after this code."""
    names = run(f"{code}\nimport sys; print(*sys.modules)")
    return {name for name in names if "." not in name or name.startswith("netra_")}


@pytest.mark.parametrize(
    "code",
    [
        "import netra_ws",
        "import await_audit.audit, await_audit.drift",
        "from netra_incident.cli import cli; cli.main(['--help'], standalone_mode=False)",
        "from netra_incident.cli import cli; cli.main(['audit', '--help'], standalone_mode=False)",
    ],
)
def test_what_needs_no_server_imports_none(code: str) -> None:
    names = imported(code)
    server = {"aiohttp", "argon2", "jwt", "msgspec", "structlog", "websockets"}
    assert names & {"await_audit", "netra_ws"}
    assert not names & (server | {"matplotlib", "nbformat", "netra_incident.case"})


SERVER = (
    *("aiohttp", "argon2", "jwt", "prometheus_client", "structlog"),
    *("websockets.server", "websockets.asyncio.server"),
    *("netra_ws.auth.http", "netra_ws.auth.service", "netra_ws.auth.tokens", "netra_ws.auth.users"),
    *("netra_ws.agent", "netra_ws.connection", "netra_ws.manager", "netra_ws.metrics"),
    "netra_ws.event_log.memory",
    *("netra_ws.routes", "netra_ws.runs", "netra_ws.serving", "netra_ws.settings"),
)


def test_a_client_imports_no_server() -> None:
    names = run("import netra_ws.client, sys; print(*sys.modules)")
    assert {"netra_ws.client", "websockets.asyncio.client"} <= set(names)
    assert not set(SERVER) & set(names)


FORKED = """
import os
from netra_ws.context import new_id
new_id("run")  # so that random bits are left
if os.fork():
    os.wait()
print(new_id("run"), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_makes_identifiers_of_its_own() -> None:
    """In a process of its own, because Python warns of a fork where threads run."""
    printed = run(FORKED)
    assert len({*printed}) == len(printed) == 2

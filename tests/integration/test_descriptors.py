"""Limits that fit the file descriptors of a process: each case in a process with its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from limits import HANG_S

from netra_ws.serving.descriptors import ACCEPTED_AT_ONCE, LEAST_CONNECTIONS, RESERVE
from netra_ws.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")

CHILD = """
import json, resource, sys
from structlog.testing import capture_logs
from netra_ws.serving.descriptors import fit_limits
from netra_ws.errors import ConfigurationError
from netra_ws.settings import Settings

soft, hard, services, limits = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
refused = ""
with capture_logs() as lines:
    try:
        fitting = fit_limits(Settings(**limits), **services)
    except ConfigurationError as error:
        fitting, refused = Settings(), str(error)
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
print(json.dumps([limit, fitting.max_connections, fitting.max_pending_connections, lines, refused]))
"""

BOTH = {"backend": True, "auth": True}
BACKEND = {"backend": True, "auth": False}
AUTH = {"backend": False, "auth": True}


def fit(soft: int, hard: int, services: dict[str, bool] = BOTH, **limits: int) -> list[Any]:
    """Return the limit in force, the two that are fitted, what was logged and what was refused."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps([soft, hard, services, limits])],
        capture_output=True,
        check=True,
        timeout=HANG_S,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


def test_the_soft_limit_is_raised_as_far_as_needed() -> None:
    limit, connections, pending, lines, refused = fit(256, 6000, max_connections=1000)
    assert limit == RESERVE + 2 * (ACCEPTED_AT_ONCE + pending) + connections == 5928
    assert (connections, pending, lines, refused) == (1000, 2000, [], "")


@pytest.mark.parametrize("soft", [6, 8, 14])
def test_a_low_soft_limit_is_raised_before_there_is_a_loop(soft: int) -> None:
    """With 8 the loop aborted the process, with 14 it was a fault of ours."""
    for hard in (soft, RESERVE):
        shell = f"ulimit -Sn {soft}; ulimit -Hn {hard}; exec {sys.executable} -m netra_ws serve"
        done = subprocess.run(
            ["/bin/sh", "-c", f"{shell} --port 0 --auth-port 0"],
            capture_output=True,
            text=True,
            timeout=HANG_S,
        )
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"netra-ws: ulimit -n is {hard}: expected ")
        assert done.returncode == 2


def test_one_service_needs_less() -> None:
    small = {"max_connections": 100, "max_pending_connections": 50}
    assert fit(256, 4000, BACKEND, **small)[0] == RESERVE + ACCEPTED_AT_ONCE + 50 + 100
    assert fit(256, 4000, AUTH, **small)[0] == RESERVE + ACCEPTED_AT_ONCE + 50


def test_a_limit_that_is_high_enough_is_left_alone() -> None:
    small = {"max_connections": 100, "max_pending_connections": 50}
    assert fit(3000, 4000, **small) == [3000, 100, 50, [], ""]


@pytest.mark.parametrize("hard", [960, 1024, 2000, 5999])
def test_limits_are_lowered_to_the_hard_limit_and_one_line_says_so(hard: int) -> None:
    limit, connections, pending, (line,), refused = fit(256, hard, max_connections=2000)
    assert (limit, refused) == (hard, "")
    assert RESERVE + 2 * (ACCEPTED_AT_ONCE + pending) + connections <= hard
    assert min(connections, pending) > 0
    assert line == {
        "event": "limits lowered to fit ulimit -n",
        "log_level": "warning",
        "nofile": hard,
        "needed": RESERVE + 2 * (ACCEPTED_AT_ONCE + 2000) + 2000,
        "max_connections": connections,
        "max_pending_connections": pending,
    }


def test_the_login_service_has_all_that_is_left() -> None:
    limit, connections, pending, (line,), _ = fit(256, 1000, AUTH)
    assert (limit, pending) == (1000, 1000 - RESERVE - ACCEPTED_AT_ONCE)
    assert connections == Settings().max_connections
    assert line["max_pending_connections"] == pending


@pytest.mark.parametrize("services", [BOTH, BACKEND, AUTH], ids=["both", "backend", "auth"])
def test_a_limit_that_leaves_hardly_anything_is_refused(services: dict[str, bool]) -> None:
    count = sum(services.values())
    least = RESERVE + count * (ACCEPTED_AT_ONCE + LEAST_CONNECTIONS)
    assert fit(100, least, services)[-1] == ""
    needed = least + count * (2000 - LEAST_CONNECTIONS) + services["backend"] * 10_000
    assert fit(100, least - 1, services)[-1] == (
        f"ulimit -n is {least - 1}: expected {needed} for the limits that are set, "
        f"and {least} at the least; raise it"
    )

"""A unit test stays inside its process: one that does not fails, and is told where it belongs."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest


def start_a_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def listen() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))


@pytest.mark.parametrize("reach_out", [start_a_process, listen])
def test_what_reaches_out_of_its_process_fails(
    reach_out: Callable[[], None], request: pytest.FixtureRequest
) -> None:
    with pytest.raises(pytest.fail.Exception) as failed:
        reach_out()
    assert request.node.nodeid in str(failed.value)
    assert "put it in tests/integration" in str(failed.value)

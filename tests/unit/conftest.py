"""What unit tests share: runs, tokens, log lines, and that they stay inside this process."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path

import agent_runs
import pytest
from fixtures import demo, log_lines, own_tokens, recorded_logs, recorder, tokens  # noqa: F401

from netra_ws.client import ReceivedRun

_item: pytest.Item | None = None
"""The test that is running, if it may not reach out of this process."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Guard every test of this folder; those of the plan lie in one of their own."""
    global _item
    _item = item if item.path.parent == Path(__file__).parent else None
    try:
        return (yield)
    finally:
        _item = None


def _stay_inside(event: str, _: object) -> None:
    if _item is not None and event in {"subprocess.Popen", "socket.bind"}:
        msg = f"{_item.nodeid} starts a process or listens ({event}): put it in tests/integration"
        pytest.fail(msg)


sys.addaudithook(_stay_inside)


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Keep log lines out of the output: a property runs many agents that fail on purpose."""
    with recorded_logs():
        yield


@pytest.fixture(scope="session")
def run_agent() -> Callable[..., Awaitable[ReceivedRun]]:
    """A function that runs an agent on a message under a manager and returns what it sent."""
    return agent_runs.run_agent

"""What several unit tests share: log lines, tokens, users, runs, HTTP requests, backends, tabs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from accounts import LEEWAY_S, LIFETIME_S, SECRET, Demo
from fixtures import (  # noqa: F401
    backend,
    fetch,
    log_lines,
    logged,
    open_tab,
    recorded_logs,
    recorder,
    tokens,
)
from tabs import LIMIT_S

from netra_ws import events
from netra_ws.agent import Agent
from netra_ws.auth.tokens import Tokens
from netra_ws.auth.users import make_demo_users
from netra_ws.client import ReceivedRun
from netra_ws.context import UserExecutionContext
from netra_ws.event_log import Cursor
from netra_ws.manager import ManagerRegistry
from netra_ws.settings import Settings


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Keep log lines out of the output: a property runs many agents that fail on purpose."""
    with recorded_logs():
        yield


@pytest.fixture(scope="module")
def own_tokens() -> Tokens:
    """Tokens with a known secret, lifetime and leeway."""
    return Tokens(SECRET, Settings(token_lifetime_s=LIFETIME_S, token_leeway_s=LEEWAY_S))


@pytest.fixture(scope="module")
def demo() -> Demo:
    """Three demo users; their hashes are quick to check."""
    return make_demo_users(3)


async def _receive_run(cursor: Cursor, arrived: asyncio.Event) -> ReceivedRun:
    run = ReceivedRun()
    async with asyncio.timeout(LIMIT_S):
        while not run.ended:
            await arrived.wait()
            arrived.clear()
            for message in cursor.take(1 << 30):
                run.add(message.decode(), events.decode(message))
    return run


async def _run_agent(
    agent: Agent, message: str = "hello", settings: Settings | None = None
) -> ReceivedRun:
    context = UserExecutionContext("ann")
    manager = ManagerRegistry(settings, agent=agent).manager(context)
    arrived = asyncio.Event()
    cursor = manager.open_cursor(None, arrived.set)
    manager.runs.start(context, message)
    return await _receive_run(cursor, arrived)


@pytest.fixture(scope="session")
def run_agent() -> Callable[..., Awaitable[ReceivedRun]]:
    """A function that runs an agent on a message under a manager and returns what it sent."""
    return _run_agent

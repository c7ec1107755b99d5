"""Runs of an agent without a connection: under a manager, read from a cursor."""

from __future__ import annotations

import asyncio

from tabs import LIMIT_S

from netra_ws import events
from netra_ws.agent import Agent
from netra_ws.client import ReceivedRun
from netra_ws.context import UserExecutionContext
from netra_ws.event_log.memory import Cursor
from netra_ws.manager import ManagerRegistry
from netra_ws.settings import Settings


async def _receive_run(cursor: Cursor, arrived: asyncio.Event) -> ReceivedRun:
    run = ReceivedRun()
    async with asyncio.timeout(LIMIT_S):
        while not run.ended:
            await arrived.wait()
            arrived.clear()
            for message in cursor.take(1 << 30):
                run.add(message.decode(), events.decode(message))
    return run


async def run_agent(
    agent: Agent, message: str = "hello", settings: Settings | None = None
) -> ReceivedRun:
    """Run an agent on a message under a manager, and return what it sent."""
    context = UserExecutionContext("ann")
    manager = ManagerRegistry(settings, agent=agent).manager(context)
    arrived = asyncio.Event()
    cursor = manager.open_cursor(None, arrived.set)
    manager.runs.start(context, message)
    return await _receive_run(cursor, arrived)

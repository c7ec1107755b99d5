"""An agent that says more than a client reads, and a client that takes little."""

from __future__ import annotations

import asyncio
from typing import Any

from raw_peer import connect

from netra_ws.agent import AgentRun, source_reader
from netra_ws.serving.server import Backend

FLOOD = 500
EVENT_BYTES = 32 * 1024


class Flood:
    """An agent that says very much when asked to, and is the built-in one else."""

    def __init__(self, count: int = FLOOD) -> None:
        self.count = count
        self.over = asyncio.Event()

    async def __call__(self, run: AgentRun, message: str) -> str:
        """Answer."""
        if message != "flood":
            return await source_reader(run, message)
        for _ in range(self.count):
            await run.thinking("x" * EVENT_BYTES)
            await asyncio.sleep(0)
        self.over.set()
        return "done"


def narrow(backend: Backend, takes_bytes: int = 64 * 1024) -> dict[str, Any]:
    """Return the options of a tab that takes little before it is read, whatever the system."""
    small = connect(backend.url, receive_buffer=takes_bytes)
    return {"sock": small, "max_size": None, "max_queue": 1}

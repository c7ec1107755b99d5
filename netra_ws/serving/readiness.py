"""Whether this process is worth sending somebody to: what ``/ws/ready`` answers."""

from __future__ import annotations

import asyncio
from typing import Any

from netra_ws.context import UserExecutionContext
from netra_ws.events import timestamp
from netra_ws.manager import ManagerRegistry
from netra_ws.threads import Threads

STARVED_S = 10.0
"""Seconds of waiting for a thread after which it is not a busy moment."""

SHARED_S = 1.0
"""Seconds for which an answer is good for whoever asks."""


class Readiness:
    """Asks the log, and the threads of this process; `threads` are the pools that it has."""

    def __init__(self, registry: ManagerRegistry) -> None:
        self.threads: list[Threads] = []
        self._registry = registry
        self._answer: asyncio.Task[dict[str, Any]] | None = None
        self._good_until = 0.0

    async def check(self) -> dict[str, Any]:
        """Return whether all is well: `status` is ``ready``, ``not ready`` or ``stopping``."""
        now = asyncio.get_running_loop().time()
        if self._answer is None or (self._answer.done() and now >= self._good_until):
            self._good_until = now + SHARED_S
            self._answer = asyncio.create_task(self._ask())
        return await asyncio.shield(self._answer)

    async def _ask(self) -> dict[str, Any]:
        starved = {pool.name: pool.waited_s() > STARVED_S for pool in self.threads}
        ready = {name: "starved" if is_starved else "ready" for name, is_starved in starved.items()}
        try:
            await self._registry.manager(UserExecutionContext.for_service("ready")).canary()
        except TimeoutError:
            ready["event_log"] = "no answer"
        else:
            ready["event_log"] = "ready"
        status = "ready" if set(ready.values()) == {"ready"} else "not ready"
        return {
            "status": "stopping" if self._registry.stopping else status,
            "components": ready,
            "commit": self._registry.metrics.commit,
            "timestamp": timestamp(),
        }

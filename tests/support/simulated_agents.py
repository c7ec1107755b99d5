"""Agents that do what they are told, well or not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from netra_ws.agent import AgentRun
from netra_ws.errors import GrammarError

if TYPE_CHECKING:
    from simulated_client import Client


class Work:
    """What one run is told to do, by `(verb, …)`; `run_id` is known once it has begun."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.user_id = client.user_id
        self.run_id: str | None = None
        self.orders: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self.released = asyncio.Event()
        self.refusing = False

    async def refuse_to_stop(self) -> None:
        self.refusing = True
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue
        self.refusing = False


class ToolBroke(Exception):
    """What a tool raises that is told to."""


class Agents:
    """An agent that does, in each run, what the `Work` of its message says.

    `hindered`: what it met in runs that had not ended, though its orders fit the grammar.
    """

    def __init__(self) -> None:
        self.work: dict[str, Work] = {}
        self.hindered: list[GrammarError] = []

    async def __call__(self, run: AgentRun, message: str) -> Any:
        work = self.work[message]
        work.run_id = run.context.run_id
        try:
            return await self._obey(run, work)
        except GrammarError as error:
            if not run.ended:  # then it was told nothing that is out of order
                self.hindered.append(error)
            raise

    async def _obey(self, run: AgentRun, work: Work) -> Any:
        while True:
            verb, *details = await work.orders.get()
            match verb:
                case "think":
                    times, size = details
                    for _ in range(times):
                        await run.thinking("x" * size)
                case "tool":
                    try:
                        async with run.tool("tool", {}) as tool:
                            tool.results = await self._tool(work, details[0])
                    except ToolBroke:
                        continue  # the agent goes on without it
                case "answer":
                    return "done"
                case "return nothing":
                    return None
                case "raise":
                    raise ToolBroke
                case "exit":
                    raise SystemExit(3)
                case "refuse to stop":
                    await work.refuse_to_stop()

    async def _tool(self, work: Work, outcome: str) -> Any:
        match outcome:
            case "raises":
                raise ToolBroke
            case "returns what is not JSON":
                return object()
            case "never ends":
                await asyncio.Event().wait()
            case "refuses to stop":
                await work.refuse_to_stop()
        return {"outcome": outcome}

"""The agent that netra_ws serves in the benchmark: ``netra-ws serve --agent benchmarks.agents:ai``.

It says what the rivals say, in the same order and with the same pauses.
"""

from __future__ import annotations

import asyncio

from benchmarks.work import PARAMETERS, REASONING, RESPONSE, RESULTS, TOOL, pause_s
from netra_ws import AgentRun

PAUSE_S = pause_s()


async def ai(run: AgentRun, message: str) -> str:  # noqa: ARG001 - the answer is always the same
    """Answer with five events."""
    if PAUSE_S:
        await asyncio.sleep(PAUSE_S)
    await run.thinking(REASONING)
    if PAUSE_S:
        await asyncio.sleep(PAUSE_S)
    async with run.tool(TOOL, PARAMETERS) as tool:
        if PAUSE_S:
            await asyncio.sleep(PAUSE_S)
        tool.results = RESULTS
    if PAUSE_S:
        await asyncio.sleep(PAUSE_S)
    return RESPONSE

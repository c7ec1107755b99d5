"""The proof that a client has all of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise

from netra_ws.errors import GrammarError, IncompleteRun
from netra_ws.events import AgentCompleted, Event, Grammar


@dataclass
class ReceivedRun:
    """The messages of one run exactly as received, `agent_completed` last."""

    messages: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def add(self, message: str, event: Event) -> None:
        """Take the next message of the run, and what it decodes to."""
        self.messages.append(message)
        self.events.append(event)

    @property
    def run_id(self) -> str | None:
        """The run's id, `None` before its first event."""
        return self.events[0].run_id if self.events else None

    @property
    def ended(self) -> bool:
        """Whether `agent_completed` is there."""
        return bool(self.events) and isinstance(self.events[-1], AgentCompleted)

    def verify(self) -> None:
        """Raise `IncompleteRun` unless order, count and digest show that nothing is missing.

        `seq` need not be gap-free within a run: runs of one user may interleave.
        """
        grammar = Grammar()
        try:
            for event in self.events:
                call = getattr(event.payload, "tool_call_id", None)
                grammar.accept(str(event.__struct_config__.tag), call)
        except GrammarError as error:
            raise IncompleteRun(str(error)) from error
        last = self.events[-1] if self.events else None
        if not isinstance(last, AgentCompleted):
            raise IncompleteRun(f"expected agent_completed after {len(self.events)} events")
        if last.payload.events != len(self.messages):
            msg = f"expected {last.payload.events} events, got {len(self.messages)}"
            raise IncompleteRun(msg)
        digested = "".join(f"{message}\n" for message in self.messages[:-1])
        if sha256(digested.encode()).hexdigest() != last.payload.digest:
            raise IncompleteRun("expected the digest in agent_completed, got another")
        numbers = [event.seq for event in self.events]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise IncompleteRun(f"expected rising seq, got {numbers}")


@asynccontextmanager
async def limited(limit_s: float) -> AsyncGenerator[None]:
    """Bound the wait for the end of a run; raises `TimeoutError`, and says that it goes on."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError as late:
        msg = f"no agent_completed within {limit_s:g} s; the run goes on"
        raise TimeoutError(msg) from late

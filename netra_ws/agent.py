"""The agent, the run that it works in, and the agent that ships with the package."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import structlog
from msgspec import UNSET, UnsetType

from netra_ws import events
from netra_ws.context import UserExecutionContext
from netra_ws.errors import TooCostly
from netra_ws.event_log import UserLog
from netra_ws.parsing import parse

logger = structlog.get_logger(__name__)

FAILED = "The agent failed."

EVENTS_A_TURN = 32
"""Events after which an agent that waits for nothing lets others have a turn of the loop."""

DIGEST_BYTES = 16 * 1024
"""Bytes of events digested at once: one by one they cost twice as much (measured)."""

Agent: TypeAlias = Callable[["AgentRun", str], Awaitable[str]]
"""An agent: called with its run and the user's message, it returns the final response."""


@dataclass(slots=True, eq=False, repr=False)
class ToolCall:
    """One call of a tool, as a context manager: set `results`, any JSON value, inside.

    Leaving it emits `tool_completed`; an exception gives `success: false` and goes on.
    """

    _run: AgentRun
    _id: str
    _name: str
    _parameters: dict[str, Any]
    _started: float = 0.0
    results: Any = None

    async def __aenter__(self) -> Self:
        run = self._run
        await run.let_others()
        self._started = time.perf_counter()
        payload = events.ToolExecutingPayload(self._id, self._name, self._parameters)
        run._emit(events.ToolExecuting, payload, self._id)
        run._tool = self
        return self

    async def __aexit__(self, _type: object, exc: BaseException | None, _traceback: object) -> None:
        if exc is not None:
            self.fail()
            if isinstance(exc, Exception):
                self._run._log_failure("tool failed", exc, tool_name=self._name)
                self._run.on_tool_failure()
            return
        try:
            self._complete(self.results, success=True)
        except Exception:
            # Results that are not JSON: the user is told, and so is the author of the tool.
            self.fail()
            self._run.on_tool_failure()
            raise

    def fail(self) -> None:
        """Emit `tool_completed` with `success: false`; what went wrong is for the log."""
        self._complete({"error": "the tool failed"}, success=False)

    def _complete(self, results: Any, *, success: bool) -> None:
        run = self._run
        if run._tool is not self:
            return  # the run has ended, and completed this call when it did
        duration_ms = _milliseconds_since(self._started)
        payload = events.ToolCompletedPayload(self._id, self._name, results, success, duration_ms)
        run._emit(events.ToolCompleted, payload, self._id)
        run._tool = None


@dataclass(slots=True, eq=False, repr=False)
class AgentRun:
    """One run of an agent, as a context manager that allows no order but the grammar's.

    Entering emits `agent_started`, leaving emits exactly one `agent_completed`: `completed` after
    a response was set, `cancelled_as` after a cancellation, `failed` after anything else. Errors
    of the agent end here, with one log line.
    """

    context: UserExecutionContext
    name: str
    message: str
    _log: UserLog
    _on_end: Callable[[events.RunStatus], object] = lambda _: None
    on_tool_failure: Callable[[], object] = lambda: None
    final_response: str | None = None
    cancelled_as: tuple[events.RunStatus, str] = "cancelled", "The run was stopped."
    """Status and final response of the run, should its task be cancelled."""
    message_id: str | UnsetType = UNSET
    seq: int = 0
    """That of `agent_started`, 0 before it."""
    _grammar: events.Grammar = field(default_factory=events.Grammar)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _undigested: bytearray = field(default_factory=bytearray)
    _count: int = 0
    _step: int = 0
    _turn_due: int = EVENTS_A_TURN
    _calls: int = 0
    _tool: ToolCall | None = None
    _started: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether `agent_completed` has been emitted, though the agent may still be at work."""
        return self._grammar.ended

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    def _begin(self) -> None:
        self._started = time.perf_counter()
        payload = events.AgentStartedPayload(self.message, self.message_id)
        self._emit(events.AgentStarted, payload)
        self.seq = self._log.head

    async def thinking(self, reasoning: str) -> None:
        """Emit `agent_thinking`; raises `GrammarError` during a tool call or after the end."""
        payload = events.AgentThinkingPayload(reasoning, self._step + 1)
        self._emit(events.AgentThinking, payload)
        self._step += 1
        await self.let_others()

    async def let_others(self) -> None:
        """Let the loop turn: after `EVENTS_A_TURN`, or after each event if a reader is slow."""
        if self._count >= self._turn_due:
            self._turn_due = self._count + (1 if self._log.half_behind else EVENTS_A_TURN)
            await asyncio.sleep(0)

    def tool(self, name: str, parameters: dict[str, Any]) -> ToolCall:
        """Return one call of a tool; entering it raises `GrammarError` as `thinking` does."""
        self._calls += 1
        return ToolCall(self, f"{self.context.run_id}.{self._calls}", name, parameters)

    async def __aexit__(self, _type: object, exc: BaseException | None, _traceback: object) -> bool:
        status: events.RunStatus
        task = asyncio.current_task() if isinstance(exc, asyncio.CancelledError) else None
        if exc is None and self.final_response is not None:
            status, response = "completed", self.final_response
        elif task and task.cancelling():
            status, response = self.cancelled_as
        else:
            status, response = "failed", FAILED
            self._log_failure("run failed", exc)
        try:
            self.end(status, response)
        except Exception as unsendable:
            self._log_failure("run failed", unsendable)
            self.end("failed", FAILED)
        # An agent that calls sys.exit() ends its run, not the process.
        return isinstance(exc, Exception | SystemExit)

    def _log_failure(self, what: str, error: BaseException | None, **fields: str) -> None:
        logger.error(what, run_id=self.context.run_id, **fields, exc_info=error)

    def end(self, status: events.RunStatus, response: str) -> None:
        """Emit `agent_completed`, once; an agent that is still at work then gets `GrammarError`."""
        if self._grammar.ended:
            return
        if not self._count:
            self._begin()
        if self._tool is not None:
            self._tool.fail()
        self._update_digest()
        duration_ms = _milliseconds_since(self._started)
        count, digest = self._count + 1, self._digest.hexdigest()
        payload = events.AgentCompletedPayload(status, response, duration_ms, count, digest)
        self._emit(events.AgentCompleted, payload)
        self._on_end(status)

    def _emit(self, event: Any, payload: Any, tool_call_id: str | None = None) -> None:
        """Append one event: encoded once, counted and digested as it is."""
        of = self.context

        def encode(epoch: str, seq: int) -> bytes:
            now = events.timestamp()
            one = event(seq, epoch, of.user_id, of.thread_id, of.run_id, self.name, now, payload)
            return events.encode(one)

        tag = events.TAGS[event]
        self._grammar.check(tag, tool_call_id)
        sent = self._log.append(encode)  # raises, and appends nothing, if it cannot be encoded
        self._grammar.step(tag, tool_call_id)
        self._count += 1
        self._undigested += sent
        self._undigested += b"\n"
        if len(self._undigested) > DIGEST_BYTES:
            self._update_digest()

    def _update_digest(self) -> None:
        self._digest.update(self._undigested)
        self._undigested.clear()


def _milliseconds_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 3)


async def source_reader(run: AgentRun, message: str) -> str:
    """Read the message: list the awaits of Python source, count the words of other text."""
    await run.thinking("Reading the message to see whether it is Python source.")
    try:
        async with run.tool("read_source", {"characters": len(message)}) as tool:
            tool.results = found = await parse(message, run.context.user_id)
    except TooCostly:
        return "The message was not read: that takes too much. Send less, or simpler source."
    if found["kind"] == "python":
        return f"Python source; await expressions: {found['awaits']}."
    return f"Text; words: {found['words']}."

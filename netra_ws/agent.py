"""The agent, the run that it works in, and the agent that ships with the package."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any, Protocol, Self, TypeAlias

import structlog
from msgspec import UNSET, UnsetType

from netra_ws import events
from netra_ws.context import UserExecutionContext
from netra_ws.errors import EventRefused, GrammarError, TooCostly
from netra_ws.event_log import UserLog
from netra_ws.parsing import parse
from netra_ws.settings import Settings

logger = structlog.get_logger(__name__)

FAILED = "The agent failed."

EVENTS_A_TURN = 32
"""Events after which an agent that waits for nothing lets others have a turn of the loop."""

# Beside that, one run in a millisecond does so, after its next event. It is shown at once then: one
# of a run that has the server to itself, or that computes between two events. To write each event
# at once would cost a run of five much more.
_turned_at = ""

TOOL_FAILED = {"error": "the tool failed"}
SPARE_BYTES = 256
"""What an announced tool call leaves free, so that the word that it failed is never too large."""

OTHER_THREAD = (
    "expected the thread of the run's event loop, got another one; in a thread, use "
    "asyncio.run_coroutine_threadsafe(run.thinking(…), loop).result(), where loop is what "
    "asyncio.get_running_loop() returns in the agent"
)

Agent: TypeAlias = Callable[["AgentRun", str], Awaitable[str]]
"""An agent: called with its run and the user's message, it returns the final response."""


class Reader(Protocol):
    """Who reads the events of a run."""

    async def catch_up(self) -> None:
        """Return when it is no longer far behind, or has been given up."""


@dataclass(slots=True, eq=False, repr=False)
class ToolCall:
    """One call of a tool, as a context manager: set `results`, any JSON value, inside.

    Leaving it emits `tool_completed`; an exception gives `success: false` and goes on. Calls of one
    run may overlap.
    """

    _run: AgentRun
    _id: str
    _name: str
    _parameters: dict[str, Any]
    _started: float = 0.0
    results: Any = None

    async def __aenter__(self) -> Self:
        run = self._run
        if self._started:
            raise GrammarError("expected a call of a tool to be entered once: call run.tool again")
        self._started = time.perf_counter()  # before it waits: another task may enter it meanwhile
        if run.late or (run._turn_due and run._count > 1):  # agent_started can wait
            await run.let_others()
        events.check_text("the name of a tool", self._name)
        if not isinstance(self._parameters, dict):
            got = type(self._parameters).__name__
            raise EventRefused(f"the parameters of a tool: expected a dict, got {got}")
        events.check_json("the parameters of a tool", self._parameters, run.max_event_bytes)
        payload = events.ToolExecutingPayload(self._id, self._name, self._parameters)
        run._emit(events.ToolExecuting, payload, run.max_event_bytes - SPARE_BYTES)
        self._started = time.perf_counter()
        run._open[self._id] = self
        return self

    async def __aexit__(self, _type: object, exc: BaseException | None, _traceback: object) -> None:
        run = self._run
        if exc is None:
            try:
                if run.late:
                    await run.let_others()
                events.check_json("the results of a tool", self.results, run.max_event_bytes)
                self._complete(self.results, success=True)
            except BaseException as refused:
                # The user is told that they cannot be sent, and so is the author of the tool.
                self._fail_for(refused)
                raise
        else:
            self._fail_for(exc)

    def _fail_for(self, error: BaseException) -> None:
        self.fail()
        if isinstance(error, Exception):
            self._run._log_failure("tool failed", error, tool_name=self._name)
            self._run.on_tool_failure()

    def fail(self) -> None:
        """Emit `tool_completed` with `success: false`, if it is not completed yet."""
        self._complete(TOOL_FAILED, success=False)

    def _complete(self, results: Any, *, success: bool) -> None:
        run = self._run
        if self._id not in run._open:
            return  # or the run has ended, and completed this call when it did
        duration_ms = _milliseconds_since(self._started)
        payload = events.ToolCompletedPayload(self._id, self._name, results, success, duration_ms)
        run._emit(events.ToolCompleted, payload, run.max_event_bytes)
        del run._open[self._id]


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
    late: Collection[Reader] = ()
    """Readers that are far behind: an event waits for them."""
    max_event_bytes: int = Settings().max_event_bytes
    final_response: str | None = None
    cancelled_as: tuple[events.RunStatus, str] = "cancelled", "The run was stopped."
    """Status and final response of the run, should its task be cancelled."""
    message_id: str | UnsetType = UNSET
    seq: int = 0
    """That of `agent_started`, 0 before it."""
    ended: bool = False
    """Whether `agent_completed` has been emitted, though the agent may still be at work."""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _undigested: list[bytes] = field(default_factory=list)
    _count: int = 0
    _step: int = 0
    _turned_after: int = 0
    _turn_due: bool = False
    _calls: int = 0
    _open: dict[str, ToolCall] = field(default_factory=dict)
    _started: float = 0.0
    _thread: int = field(default_factory=get_ident)

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    def _begin(self) -> None:
        self._started = time.perf_counter()
        # It echoes a message: the settings make room for it.
        payload = events.AgentStartedPayload(self.message, self.message_id)
        self._emit(events.AgentStarted, payload, math.inf)
        self.seq = self._log.head

    async def thinking(self, reasoning: str) -> None:
        """Emit `agent_thinking`; raises `EventRefused`, or `GrammarError` after the end."""
        events.check_text("reasoning", reasoning)
        if self.late:
            await self.let_others()
        payload = events.AgentThinkingPayload(reasoning, self._step + 1)
        self._emit(events.AgentThinking, payload, self.max_event_bytes)
        self._step += 1
        if self.late or self._turn_due:
            await self.let_others()

    async def let_others(self) -> None:
        """Let the loop turn if it is time, and wait for readers that are far behind."""
        if get_ident() != self._thread:
            raise EventRefused(OTHER_THREAD)
        if self._turn_due:
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # uvloop sends at the end of the turn in which it is written
            self._turned_after, self._turn_due = self._count, False
        while self.late:  # for all at once: each counts the time that runs wait for it
            await asyncio.gather(*(reader.catch_up() for reader in self.late))

    def tool(self, name: str, parameters: dict[str, Any]) -> ToolCall:
        """Return one call of a tool; entering it raises as `thinking` does."""
        self._calls += 1
        return ToolCall(self, f"{self.context.run_id}.{self._calls}", name, parameters)

    async def __aexit__(self, _type: object, exc: BaseException | None, _traceback: object) -> bool:
        status: events.RunStatus
        failure = exc
        task = asyncio.current_task() if isinstance(exc, asyncio.CancelledError) else None
        if exc is None and self.final_response is not None:
            status, response = "completed", self.final_response
        elif task and task.cancelling():
            status, response = self.cancelled_as
        else:
            status, response = "failed", FAILED
        try:
            self.end(status, response)
        except Exception as unsendable:
            failure, response = unsendable, FAILED
            self.end("failed", response)
        if response is FAILED:
            self._log_failure("run failed", failure)  # last: its words can raise anything
        # An agent that calls sys.exit() ends its run, not the process; Ctrl-C ends what it may.
        return not isinstance(exc, asyncio.CancelledError | KeyboardInterrupt)

    def _log_failure(self, what: str, error: BaseException | None, **fields: str) -> None:
        logger.error(what, run_id=self.context.run_id, **fields, exc_info=error)

    def end(self, status: events.RunStatus, response: str) -> None:
        """Emit `agent_completed`, once; an agent that is still at work then gets `GrammarError`."""
        if self.ended:
            return
        events.check_text("the final response", response)
        if status not in events.STATUSES:
            raise EventRefused(f"the status: expected one of {events.STATUSES}, got {status!r}")
        if not self._count:
            self._begin()
        for call in tuple(self._open.values()):
            call.fail()
        self._update_digest()
        duration_ms = _milliseconds_since(self._started)
        count, digest = self._count + 1, self._digest.hexdigest()
        payload = events.AgentCompletedPayload(status, response, duration_ms, count, digest)
        # Words of our own are short.
        max_bytes = self.max_event_bytes if status == "completed" else math.inf
        self._emit(events.AgentCompleted, payload, max_bytes)
        self.ended = True
        self._on_end(status)

    def _emit(self, event: Any, payload: Any, max_bytes: float) -> None:
        """Append one event: encoded once, counted and digested as it is."""
        global _turned_at
        if get_ident() != self._thread:
            raise EventRefused(OTHER_THREAD)
        if self.ended or (self._count == 0) is not (event is events.AgentStarted):
            raise GrammarError(self._out_of_order(events.TAGS[event]))
        of = self.context
        now = events.timestamp()

        def encode(epoch: str, seq: int) -> bytes:
            one = event(seq, epoch, of.user_id, of.thread_id, of.run_id, self.name, now, payload)
            encoded = events.encode(one)
            if len(encoded) > max_bytes:
                got = f"{len(encoded)} in {events.TAGS[event]}"
                raise EventRefused(f"expected {max_bytes} bytes at most, got {got}; send less")
            return encoded

        try:
            sent = self._log.append(encode)  # raises, and appends nothing, if it cannot be encoded
        except (UnicodeEncodeError, TypeError) as error:
            raise EventRefused(f"{events.TAGS[event]}: expected JSON; {error}") from error
        self._count += 1
        self._undigested.append(sent)
        if now != _turned_at or self._count >= self._turned_after + EVENTS_A_TURN:
            _turned_at = now  # one run in a millisecond, not all that begin in it
            self._turn_due = True
            self._update_digest()

    def _out_of_order(self, tag: str) -> str:
        if self.ended:
            return f"the run has ended: expected no further event, got {tag}"
        return f"expected {'another event' if self._count else 'agent_started'}, got {tag}"

    def _update_digest(self) -> None:
        """Digest some events at once: one by one they cost twice as much (measured)."""
        self._digest.update(b"\n".join((*self._undigested, b"")))
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

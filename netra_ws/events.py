"""The five critical events: their structs, their wire form, and the grammar of a run.

A run is `agent_started (agent_thinking | tool_executing tool_completed)* agent_completed`, its
tool calls one after the other and paired by `tool_call_id`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from netra_ws.errors import GrammarError

RunStatus: TypeAlias = Literal["completed", "failed", "cancelled"]


class AgentStartedPayload(Struct, frozen=True):
    """`message`: what the user asked. `message_id`: the `id` of that message, if it had one."""

    message: str
    message_id: str | UnsetType = UNSET


class AgentThinkingPayload(Struct, frozen=True):
    """`reasoning`: a sentence for the user. `step`: from 1, rising by 1 within the run."""

    reasoning: str
    step: int


class ToolExecutingPayload(Struct, frozen=True):
    """`parameters`: what the tool was called with."""

    tool_call_id: str
    tool_name: str
    parameters: dict[str, Any]


class ToolCompletedPayload(Struct, frozen=True):
    """`results`: any JSON value. `success`: false if the tool raised. `duration_ms`: its time."""

    tool_call_id: str
    tool_name: str
    results: Any
    success: bool
    duration_ms: float


class AgentCompletedPayload(Struct, frozen=True):
    """`events`: how many messages the run had, this one included.

    `digest`: lower-case hex SHA-256 over the run's earlier messages exactly as sent, in the order
    of `seq`, each followed by a line feed. `duration_ms`: from `agent_started` on.
    """

    status: RunStatus
    final_response: str
    duration_ms: float
    events: int
    digest: str


class Envelope(Struct, frozen=True, tag_field="type"):
    """What all events carry.

    `seq` rises by one per user from 1; it is a position only together with `epoch`, the name of
    the log that gave it. `timestamp` is RFC 3339 in UTC, to the millisecond.
    """

    seq: int
    epoch: str
    user_id: str
    thread_id: str
    run_id: str
    agent_name: str
    timestamp: str


class AgentStarted(Envelope, frozen=True, tag="agent_started"):
    """A run has begun."""

    payload: AgentStartedPayload


class AgentThinking(Envelope, frozen=True, tag="agent_thinking"):
    """The agent says what it is about to do."""

    payload: AgentThinkingPayload


class ToolExecuting(Envelope, frozen=True, tag="tool_executing"):
    """A tool call has begun."""

    payload: ToolExecutingPayload


class ToolCompleted(Envelope, frozen=True, tag="tool_completed"):
    """The tool call has ended, well or not."""

    payload: ToolCompletedPayload


class AgentCompleted(Envelope, frozen=True, tag="agent_completed"):
    """The run has ended, well or not."""

    payload: AgentCompletedPayload


Event: TypeAlias = AgentStarted | AgentThinking | ToolExecuting | ToolCompleted | AgentCompleted

TAGS: dict[type[Event], str] = {one: str(one.__struct_config__.tag) for one in get_args(Event)}
"""The value of `type` of each event's struct."""

EVENT_TYPES: tuple[str, ...] = tuple(TAGS.values())
"""The five types, in the order in which a run shows them first."""

encode = msgspec.json.Encoder().encode
"""Return the wire form of a struct: compact UTF-8 JSON without a line feed."""

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
decode = _decoder.decode
"""Return the event in a message. Raises `msgspec.DecodeError`, or `UnicodeDecodeError`."""

# What was formatted last: else it would be the dearest step of an event (measured).
_second: tuple[int, str] = (0, "")
_millisecond: tuple[int, str] = (0, "")


def timestamp() -> str:
    """Return the time now as RFC 3339 in UTC, to the millisecond."""
    global _second, _millisecond
    milliseconds = time.time_ns() // 1_000_000
    if milliseconds != _millisecond[0]:
        second, rest = divmod(milliseconds, 1000)
        if second != _second[0]:
            _second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        _millisecond = (milliseconds, f"{_second[1]}.{rest:03d}Z")
    return _millisecond[1]


_BETWEEN_CALLS = ("agent_thinking", "tool_executing", "agent_completed")
_FOLLOWERS: dict[str, tuple[str, ...]] = {
    "": ("agent_started",),
    "agent_started": _BETWEEN_CALLS,
    "agent_thinking": _BETWEEN_CALLS,
    "tool_executing": ("tool_completed",),
    "tool_completed": _BETWEEN_CALLS,
    "agent_completed": (),
}


@dataclass(slots=True, eq=False)
class Grammar:
    """The grammar of one run: the server follows it, the client checks by it."""

    _last: str = ""
    _tool_call_id: str | None = None

    @property
    def ended(self) -> bool:
        """Whether `agent_completed` has been accepted."""
        return self._last == "agent_completed"

    def check(self, event_type: str, tool_call_id: str | None = None) -> None:
        """Raise `GrammarError` unless the event may come next."""
        allowed = _FOLLOWERS[self._last]
        if event_type not in allowed:
            expected = " or ".join(allowed) or "no further event"
            raise GrammarError(f"expected {expected}, got {event_type}")
        if event_type == "tool_completed" and tool_call_id != self._tool_call_id:
            expected = f"tool_completed of {self._tool_call_id}"
            raise GrammarError(f"expected {expected}, got tool_completed of {tool_call_id}")

    def accept(self, event_type: str, tool_call_id: str | None = None) -> None:
        """Take the next event of the run; raises `GrammarError` if it may not come now."""
        self.check(event_type, tool_call_id)
        self.step(event_type, tool_call_id)

    def step(self, event_type: str, tool_call_id: str | None = None) -> None:
        """Take an event that has been checked."""
        self._last = event_type
        self._tool_call_id = tool_call_id

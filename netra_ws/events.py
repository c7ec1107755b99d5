"""The five critical events: their structs, their wire form, and the grammar of a run.

A run is `agent_started (agent_thinking | tool_executing | tool_completed)* agent_completed`. Calls
of tools may overlap: each `tool_completed` comes after its `tool_executing`, by `tool_call_id`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from netra_ws.errors import EventRefused, GrammarError

RunStatus: TypeAlias = Literal["completed", "failed", "cancelled"]
STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)


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


MAX_DEPTH = 60
"""Levels of a value in an event: readers of JSON take 64 at least, as that of .NET."""


ARRAYS = frozenset({list, tuple})
CONSTANTS = frozenset({bool, type(None)})


def check_text(what: str, value: object) -> None:
    """Raise `EventRefused` unless the value is a string; one that is no UTF-8 is not encoded."""
    if not isinstance(value, str):
        raise EventRefused(f"{what}: expected a string, got {type(value).__name__}")


def check_message(message: object, max_bytes: int) -> None:
    """Raise `EventRefused` unless `agent_started` can echo a message, and so the run can begin."""
    check_text("the message", message)
    try:
        size = len(encode(message))
    except UnicodeEncodeError as error:
        raise EventRefused(f"the message: expected text; {error}") from error
    if size > 6 * max_bytes:
        raise EventRefused(f"the message: expected {max_bytes} bytes at most, got more")


def check_json(what: str, value: Any, max_bytes: int, levels: int = MAX_DEPTH - 1) -> int:
    """Raise `EventRefused` unless all of a value is JSON, which every reader takes as it is meant.

    It looks at no more than `max_bytes`, each value counted as often as it would be sent, and
    returns what is left of them.
    """
    left, inner = max_bytes, (value,)
    kind = type(value)
    if kind is dict:
        left -= _bytes_of_keys(what, value)
        inner = value.values()
    elif kind in ARRAYS:
        inner = value
    for one in inner:
        kind = type(one)
        if kind is str:
            left -= len(one)
        elif kind in CONSTANTS:
            left -= 1
        elif kind is int:
            left -= 1
            if not -(2**63) <= one < 2**64:
                raise EventRefused(f"{what}: expected integers of 64 bits, got a larger one")
        elif kind is float:
            left -= 1
            if not isfinite(one):
                raise EventRefused(f"{what}: expected JSON, got the number {one}")
        elif levels == 0:
            raise EventRefused(f"{what}: expected {MAX_DEPTH} levels at most, got more")
        else:
            known = one if kind is dict or kind in ARRAYS else _plain(what, one)
            try:
                left = check_json(what, known, left - 1, levels - 1)
            except EventRefused as refused:  # no log is to show a frame a level, all with values
                raise refused.with_traceback(None) from refused.__cause__
    if left < 0:
        raise EventRefused(f"{what}: expected {max_bytes} bytes at most, got more; send less")
    return left


def _bytes_of_keys(what: str, value: dict[Any, Any]) -> int:
    size = 0
    for key in value:
        if not isinstance(key, str):
            raise EventRefused(f"{what}: expected strings as keys, got {type(key).__name__}")
        size += len(key)
    return size


def _plain(what: str, value: object) -> Any:
    """Return what msgspec makes of a date, an enum, a dataclass and so on."""
    try:
        return msgspec.to_builtins(value)
    except Exception as error:
        raise EventRefused(f"{what}: expected JSON, got {type(value).__name__}") from error


@dataclass(slots=True, eq=False)
class Grammar:
    """The grammar of one run: the server follows it, the client checks by it."""

    _begun: bool = False
    ended: bool = False
    """Whether `agent_completed` has been accepted."""
    _open: set[str | None] = field(default_factory=set)

    def check(self, event_type: str, tool_call_id: str | None = None) -> None:
        """Raise `GrammarError` unless the event may come next."""
        if self.ended or not self._begun:
            fits = event_type == "agent_started" and not self.ended
        elif event_type == "tool_completed":
            fits = tool_call_id in self._open
        elif event_type == "tool_executing":
            fits = tool_call_id not in self._open
        else:
            fits = event_type == "agent_thinking" or (
                event_type == "agent_completed" and not self._open
            )
        if not fits:
            raise GrammarError(self._why(event_type, tool_call_id))

    def _why(self, event_type: str, tool_call_id: str | None) -> str:
        got = event_type if tool_call_id is None else f"{event_type} of {tool_call_id}"
        if self.ended:
            return f"the run has ended: expected no further event, got {got}"
        if not self._begun:
            return f"expected agent_started, got {got}"
        ends = [f"tool_completed of {call}" for call in sorted(map(str, self._open))]
        new = "another tool_executing" if tool_call_id in self._open else "tool_executing"
        allowed = " or ".join(["agent_thinking", new, *(ends or ["agent_completed"])])
        return f"expected {allowed}, got {got}"

    def accept(self, event_type: str, tool_call_id: str | None = None) -> None:
        """Take the next event of the run; raises `GrammarError` if it may not come now."""
        self.check(event_type, tool_call_id)
        self.step(event_type, tool_call_id)

    def step(self, event_type: str, tool_call_id: str | None = None) -> None:
        """Take an event that has been checked."""
        if event_type == "tool_executing":
            self._open.add(tool_call_id)
        elif event_type == "tool_completed":
            self._open.discard(tool_call_id)
        elif event_type == "agent_started":
            self._begun = True
        elif event_type == "agent_completed":
            self.ended = True

"""A connection as an example: what the client sends, and all that the server answers.

Count and digest of the run are true, as a client would verify them.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from msgspec import Struct

from netra_ws import events, messages

CLIENT: tuple[Struct, ...] = (
    messages.UserMessage("await get_websocket_manager(user_context)", "thread-1", id="first"),
    messages.StopAgent("run-1"),
    messages.Ping(id="second"),
    messages.RenewToken("eyJhbGciOiJIUzI1NiIs…"),
)
"""The messages of a client."""

TIME = "2026-11-30T12:00:00.000Z"
CALL = ("run-1-1", "read_source")
FOUND = {"awaits": ["get_websocket_manager"]}

_RUN: dict[str, Any] = {
    "epoch": "f1d2c3",
    "user_id": "user1",
    "thread_id": "thread-1",
    "run_id": "run-1",
    "agent_name": "source_reader",
    "timestamp": TIME,
}

_FIRST: tuple[Struct, ...] = (
    events.AgentStarted(
        seq=1,
        payload=events.AgentStartedPayload("await get_websocket_manager(user_context)", "first"),
        **_RUN,
    ),
    events.AgentThinking(
        seq=2, payload=events.AgentThinkingPayload("This may be Python.", 1), **_RUN
    ),
    events.ToolExecuting(
        seq=3, payload=events.ToolExecutingPayload(*CALL, {"characters": 41}), **_RUN
    ),
    events.ToolCompleted(
        seq=4, payload=events.ToolCompletedPayload(*CALL, FOUND, True, 0.412), **_RUN
    ),
)
_DIGEST = sha256(b"".join(events.encode(one) + b"\n" for one in _FIRST)).hexdigest()

SERVER: tuple[Struct, ...] = (
    messages.ConnectionReady(
        TIME, messages.ConnectionReadyPayload("connection-1", "f1d2c3", 0, None, None)
    ),
    *_FIRST,
    events.AgentCompleted(
        seq=5,
        payload=events.AgentCompletedPayload("completed", "One await.", 0.981, 5, _DIGEST),
        **_RUN,
    ),
    messages.Error(
        TIME, messages.ErrorPayload("unknown_run", "no run of yours with that run_id is going on")
    ),
    messages.Pong(TIME, messages.PongPayload(ref="second")),
    messages.TokenRenewed(TIME, messages.TokenRenewedPayload(899)),
    messages.MessageKnown(TIME, messages.MessageKnownPayload("first", "run-1")),
)
"""The messages of the server, in the order in which a client may get them."""

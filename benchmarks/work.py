"""The work that every server does: one message of a user in, the five events of a run out.

The events have the fields of `netra_ws.events`, and 250 to 300 bytes on average. The rivals build
them as applications of their frameworks do: as a dict, with an ISO 8601 time for each event and a
random id for each run and each tool call. They keep no log and compute no digest: their `digest`
is a constant of the same length. What netra_ws does beyond the work is counted against netra_ws.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from secrets import token_hex
from time import perf_counter
from typing import Any
from uuid import uuid4

import jwt

from netra_ws.auth.tokens import ALGORITHM, AUDIENCE, CLAIMS, ISSUER

MIN_EVENT_BYTES, MAX_EVENT_BYTES = 250, 300
"""The mean of a run, in JSON without white space.

A single event cannot keep to it: the names that the contract gives to its fields come to 223 bytes
for the shortest `agent_started` and to 360 for the shortest `agent_completed`.
"""

AGENT = "ai"
THREAD = "t1"
QUESTION = "Who delivers?"
REASONING = "Ask."
TOOL = "ask"
PARAMETERS: dict[str, Any] = {}
RESULTS = ["A"]
RESPONSE = "A."

SECRET = "NETRA_WS_SECRET"  # noqa: S105 - the name of a variable, not a secret
"""The environment variable with what tokens are signed with."""

PAUSE = "BENCHMARK_PAUSE_S"
"""The environment variable with the seconds between two events of a run; unset or 0 for none."""

UNSIGNED = "0" * 64


def pause_s() -> float:
    """Return the seconds that a server of this process pauses between two events."""
    return float(os.environ.get(PAUSE, "0"))


class Refused(Exception):
    """Raised when a handshake has no valid token."""


def authenticate(authorization: str | None) -> str:
    """Return the user id in the value of an ``Authorization`` header.

    Checks signature, algorithm, audience, issuer and that all claims are there, as netra_ws does.
    Raises `Refused`.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refused("expected a bearer token")
    try:
        claims = jwt.decode(
            token,
            os.environ[SECRET],
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": list(CLAIMS)},
        )
    except jwt.InvalidTokenError as error:
        raise Refused(str(error)) from error
    user_id: str = claims["sub"]
    return user_id


class Conversation:
    """What a rival keeps for one connection: its user, and the number of the last event."""

    def __init__(self, authorization: str | None) -> None:
        self._user_id = authenticate(authorization)
        self._epoch = token_hex(8)
        self._seq = 0

    def answer(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the five events of a run on `message`, each built when it is asked for."""
        started = perf_counter()
        run_id = str(uuid4())
        call_id = str(uuid4())
        for event_type, payload in (
            ("agent_started", {"message": message["content"]}),
            ("agent_thinking", {"reasoning": REASONING, "step": 1}),
            (
                "tool_executing",
                {"tool_call_id": call_id, "tool_name": TOOL, "parameters": PARAMETERS},
            ),
            (
                "tool_completed",
                {
                    "tool_call_id": call_id,
                    "tool_name": TOOL,
                    "results": RESULTS,
                    "success": True,
                    "duration_ms": 0.0,
                },
            ),
            (
                "agent_completed",
                {
                    "status": "completed",
                    "final_response": RESPONSE,
                    "duration_ms": round((perf_counter() - started) * 1000, 3),
                    "events": 5,
                    "digest": UNSIGNED,
                },
            ),
        ):
            self._seq += 1
            yield {
                "type": event_type,
                "seq": self._seq,
                "epoch": self._epoch,
                "user_id": self._user_id,
                "thread_id": message["thread_id"],
                "run_id": run_id,
                "agent_name": AGENT,
                "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "payload": payload,
            }

"""A fingerprint: what a deployment shows from outside and in its log, whatever the cause may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

from netra_incident.case import Columns
from netra_incident.history.deployment import Deployment
from netra_incident.measuring.load import probe_endpoints, run_sessions

NOTHING = "nothing"
"""The words in the log of a failure that is not in the log."""

# The first line of `warnings.formatwarning`, and the interpreter's words about a coroutine.
_WARNING = re.compile(
    r"(?P<path>.+):\d+: (?P<type>\w+): (?:coroutine '(?P<coroutine>.+)' was never awaited)?"
)


class Sign(NamedTuple):
    """One thing that the log says went wrong.

    `function` raised, in a line of `file` that holds an `await` or not. In a warning it is the
    coroutine that was never awaited, and `file` the one that ran when it was thrown away.
    """

    type: str
    function: str
    file: str
    awaits: bool = False
    never_awaited: bool = False

    def __str__(self) -> str:
        """Return the words that stand together in one line of the log."""
        how = ["await"] * self.awaits + ["never awaited"] * self.never_awaited
        return ", ".join(word for word in (self.type, *how, self.file) if word)


def _from_error(error: Mapping[str, str]) -> Sign:
    awaits = re.search(r"\bawait\b", error.get("line", "")) is not None
    file = error.get("where", "").rpartition(":")[0]
    return Sign(error["type"], error.get("function", ""), file, awaits)


def _from_warning(words: str) -> Sign:
    found = _WARNING.match(words)
    assert found is not None, words
    _, package, rest = PurePath(found["path"]).as_posix().rpartition("/netra_ws/")
    file = f"netra_ws/{rest}" if package else PurePath(rest).name
    coroutine = found["coroutine"]
    return Sign(found["type"], coroutine or "", file, never_awaited=coroutine is not None)


def _signs(log: Iterable[Mapping[str, Any]]) -> Iterator[Sign]:
    for line in log:
        if "error" in line:
            yield _from_error(line["error"])
        elif line["logger"] == "py.warnings":
            yield _from_warning(line["event"])
        elif line["level"] in {"error", "critical"}:
            yield Sign(line["event"], "", "")


@dataclass(frozen=True)
class Fingerprint:
    """What one session and the endpoints of a deployment show, and what its log says.

    `handshake` is the HTTP status of the session; `messages` counts all that arrived in it, and
    `events` those of the run; `endpoints` are the HTTP statuses of health, configuration and
    statistics by path; `log` has each sign once, in an order of its own.
    """

    handshake: int
    close_code: int
    close_reason: str
    messages: int
    events: int
    endpoints: dict[str, int]
    log: tuple[Sign, ...]

    @property
    def log_words(self) -> str:
        """The words to look for in the log, as in the triage table; `NOTHING` if it is silent."""
        return "; ".join(sorted({str(sign) for sign in self.log})) or NOTHING

    @property
    def columns(self) -> Columns:
        """What tells it from others, as `TriageRow.columns`."""
        return self.close_code, self.events, tuple(self.endpoints.values()), self.log_words

    def __repr__(self) -> str:
        """Return what it shows, the client's view first; without lines, ports and paths."""
        statuses = ", ".join(f"{path} {status}" for path, status in self.endpoints.items())
        return (
            f"{self.handshake}, {self.messages} messages, {self.events} events, "
            f"close {self.close_code}, {self.close_reason or 'no reason'}\n"
            f"{statuses}\n"
            f"log: {self.log_words}"
        )


async def fingerprint(deployment: Deployment) -> Fingerprint:
    """Return what one session of the first user and one request to each endpoint show.

    The log counts from the start of the process: Python warns once for each line of source, so
    what an earlier session has brought to light is not said again. Raises `LoginError` if the
    user cannot log in, `aiohttp.ClientError` if an endpoint cannot be reached.
    """
    (session,) = await run_sessions(deployment, users=1, each=1)
    endpoints = await probe_endpoints(deployment)
    return Fingerprint(
        session.handshake,
        int(session.close_code),
        session.close_reason,
        len(session.frames),
        len(session.events),
        endpoints,
        tuple(sorted(set(_signs(deployment.log())))),
    )

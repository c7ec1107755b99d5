"""When a client tries again, how long it waits before, and when it gives up.

Full jitter: a wait is drawn evenly from a window that doubles with each attempt, so that clients
which lost the same server do not come back as one wave (M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from netra_ws.errors import (
    ConnectionEnded,
    EventGap,
    EventTooLarge,
    HandshakeRefused,
    LoginError,
)

logger = logging.getLogger(__name__)


class Rule(NamedTuple):
    """Whether a client tries again after one of the codes `first` to `last`, and why."""

    first: int
    last: int
    again: bool
    reason: str


CLOSES = (
    Rule(1000, 1000, False, "the server is done with this client"),
    Rule(1001, 1001, True, "the server goes away; another one may be there"),
    Rule(1002, 1003, False, "one side sent what the other does not take; it would again"),
    Rule(1005, 1006, True, "the network, or a server without a word"),
    Rule(1007, 1010, False, "one side sent what the other does not take; it would again"),
    Rule(1011, 1014, True, "the server failed, restarts or is too busy; it may get over it"),
    Rule(4000, 4499, True, "a code of this project that says: reconnect"),
    Rule(4500, 4999, False, "a code of this project that says: do not reconnect"),
)
"""By close code; one that is not here (RFC 6455 section 7.4.2) is final."""

STATUSES = (
    Rule(408, 408, True, "the request took too long on its way"),
    Rule(429, 429, True, "too many requests; fewer are welcome"),
    Rule(500, 599, True, "the server failed, or is not there yet"),
)
"""By HTTP status of a handshake or a login; every other one is an answer that will not change.

401 is not here: a client whose token is not new logs in and tries once more.
"""


MAX_RETRY_AFTER_S = 3600.0
"""An hour: a longer maintenance is announced to people."""


def _again(rules: tuple[Rule, ...], code: int) -> bool:
    return any(rule.again for rule in rules if rule.first <= code <= rule.last)


def is_transient(error: BaseException) -> bool:
    """Whether what failed with `error` may succeed when it is tried again."""
    match error:
        case EventGap() | EventTooLarge():
            return True  # a resume brings what is missing, or goes on after it
        case ConnectionEnded():
            return _again(CLOSES, error.code)
        case HandshakeRefused(status=None) | LoginError(status=None):
            # No time mends an address that is none or a certificate of another, both ValueErrors,
            # or a package that is missing.
            return not isinstance(error.__cause__, ValueError | ImportError)
        case HandshakeRefused(status=int(status)) | LoginError(status=int(status)):
            return _again(STATUSES, status)
    return False


def retry_after_s(error: Exception) -> float:
    """Return the seconds that the answer behind `error` asks to wait (RFC 9110, 10.2.3), or 0."""
    answer = getattr(error.__cause__, "response", error.__cause__)  # of websockets, or of aiohttp
    headers = getattr(answer, "headers", None) or {}
    try:
        asked = headers.get("Retry-After", "").strip()
        if asked.isdigit():
            return float(asked)
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except (ValueError, OverflowError, LookupError):  # no time at all, or several
        return 0.0


@dataclass(frozen=True)
class Backoff:
    """How a client waits between attempts: windows from `first_s`, doubling up to `max_s`.

    A Retry-After of the server, of at most `MAX_RETRY_AFTER_S`, is waited for as well. A client
    waits without a limit but for those of the fields.
    """

    first_s: float = 0.5
    """Half a second: a restart behind a proxy is over by then."""

    max_s: float = 30.0
    """Half a minute: nobody waits longer than that for a server that is back."""

    attempts: int | None = None
    """How many in a row may fail. None: as many as it takes."""

    give_up_after_s: float | None = None
    """Give up when the next attempt would come later than this after the first, or after the last
    `connection_ready`. None: never."""

    settled_s: float = 5.0
    """A connection that lasted this long, or delivered an event, was a success: the next failure
    is the first again. One that is accepted and killed at once goes on counting."""


class Attempts:
    """The attempts of one client; one to be connected lasts as long as its connection."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._due = 0.0
        self._given_up: Exception | None = None
        self.start_anew()

    def start_anew(self) -> None:
        """Let the attempt that is under way be the first of its series."""
        self._failures = 0
        self._window_s = min(self._backoff.first_s, self._backoff.max_s)
        self.connected()

    def connected(self) -> None:
        """Count the time until the client gives up from now; the waits stay as long as they are."""
        patience_s = self._backoff.give_up_after_s
        self._ends_at = math.inf if patience_s is None else time.monotonic() + patience_s

    def failed(self, error: Exception, *, mended: bool = False) -> None:
        """Say with what the attempt that is under way ended, and if its cause has been removed."""
        wait_s = random.uniform(0, self._window_s)  # noqa: S311
        wait_s += min(retry_after_s(error), MAX_RETRY_AFTER_S)
        self._window_s = min(2 * self._window_s, self._backoff.max_s)
        self._due = time.monotonic() + wait_s
        self._failures += 1
        too_often = self._failures == self._backoff.attempts
        if too_often or self._due >= self._ends_at or not (mended or is_transient(error)):
            self._given_up = error
        else:
            logger.info("trying again in %.3g s: %s", wait_s, error)

    async def next(self) -> None:
        """Return when the next attempt is due.

        Raises the error of the last attempt if that is final, or if there were enough of them;
        from then on always. A cancelled wait is taken up again by the next call.
        """
        if self._given_up is not None:
            raise self._given_up
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))

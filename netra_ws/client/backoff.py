"""When a client tries again, how long it waits before, and when it gives up.

Full jitter: a wait is drawn evenly from a window that doubles with each attempt, so that clients
which lost the same server do not come back as one wave (M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import aiohttp
from tenacity import (
    AsyncRetrying,
    AttemptManager,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)
from tenacity.wait import wait_base
from websockets.exceptions import InvalidStatus

from netra_ws.errors import ConnectionEnded, EventGap, HandshakeRefused, LoginError

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
"""By close code; one that is not here (RFC 6455 section 7.4.2) is final.

Guarded by
tests/integration/test_client_codes.py::test_after_these_codes_it_stops_and_says_so_at_each_call and
``test_after_these_codes_it_reconnects_and_resumes``."""

STATUSES = (
    Rule(408, 408, True, "the request took too long on its way"),
    Rule(429, 429, True, "too many requests; fewer are welcome"),
    Rule(500, 599, True, "the server failed, or is not there yet"),
)
"""By HTTP status of a handshake or a login; every other one is an answer that will not change.

401 is not here: a client whose token is not new logs in and tries once more.

Guarded by tests/integration/test_client_codes.py::test_after_these_refusals_it_stops,
``test_after_these_refusals_it_tries_again`` and ``test_after_401_it_logs_in_anew_and_goes_on``.
"""


def _again(rules: tuple[Rule, ...], code: int) -> bool:
    return any(rule.again for rule in rules if rule.first <= code <= rule.last)


def is_transient(error: BaseException) -> bool:
    """Whether what failed with `error` may succeed when it is tried again."""
    match error:
        case EventGap():
            return True  # a resume from the last event seen brings what is missing
        case ConnectionEnded():
            return _again(CLOSES, error.code)
        case HandshakeRefused(status=None) | LoginError(status=None):
            return not _is_of_certificate(error)
        case HandshakeRefused(status=int(status)) | LoginError(status=int(status)):
            return _again(STATUSES, status)
    return False


def _is_of_certificate(error: BaseException) -> bool:
    """Whether the server is not the one that it should be: no time mends that."""
    kinds = ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError
    return isinstance(error.__cause__, kinds)


def retry_after_s(error: BaseException | None) -> float:
    """Return how many seconds the answer behind `error` asks to wait, 0 if it does not say.

    In both forms of RFC 9110 section 10.2.3: seconds, or a date.
    """
    headers: Mapping[str, str] = {}
    match error.__cause__ if error else None:
        case InvalidStatus() as refused:
            headers = refused.response.headers
        case aiohttp.ClientResponseError(headers=answered) if answered:
            headers = answered
    try:
        asked = headers.get("Retry-After", "").strip()
        seconds = float(asked) if asked.isdigit() else _until(asked)
    except (ValueError, OverflowError, LookupError):  # no time at all, or several
        return 0.0
    return max(0.0, seconds)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()


class _WaitAsAsked(wait_base):
    def __call__(self, retry_state: RetryCallState) -> float:
        return retry_after_s(retry_state.outcome.exception() if retry_state.outcome else None)


Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Backoff:
    """How a client waits between attempts: windows from `first_s`, doubling up to `max_s`.

    A Retry-After of the server is waited for beforehand. The client gives up after `attempts`, or
    when the next one would be later than `total_s` after the first.
    """

    first_s: float = 0.5
    """Half a second: a restart behind a proxy is over by then."""

    max_s: float = 30.0
    """Half a minute: nobody waits longer than that for a server that is back."""

    attempts: int = 12
    """About two minutes, if each fails at once."""

    total_s: float = 300.0
    """Five minutes: an outage that takes longer is for people."""

    settled_s: float = 5.0
    """A connection that lasted this long, or delivered an event, was a success: the next failure
    is the first again. One that is accepted and killed at once goes on counting: see
tests/integration/test_client_codes.py::test_a_server_that_lets_in_and_kills_is_given_up_and_not_hammered.
"""

    def retrying(self, total_s: float | None = None, sleep: Sleep = asyncio.sleep) -> AsyncRetrying:
        """Return what tries again after transient errors, and raises the last one in the end."""
        return AsyncRetrying(
            sleep=sleep,
            wait=wait_random_exponential(multiplier=self.first_s, max=self.max_s) + _WaitAsAsked(),
            stop=stop_after_attempt(self.attempts)
            | stop_before_delay(self.total_s if total_s is None else total_s),
            retry=retry_if_exception(is_transient),
            reraise=True,
        )


class Attempts:
    """The attempts of one client to be connected: an attempt lasts as long as its connection.

    `wait_s` is the wait before the present attempt, in seconds.
    """

    def __init__(self, backoff: Backoff) -> None:
        self.wait_s = 0.0
        self._backoff = backoff
        self._due = 0.0
        self._failure: Exception | None = None
        self._given_up: Exception | None = None
        self.start_anew()

    def start_anew(self) -> None:
        """Let the attempt that is under way be the first of its series."""
        self._series = aiter(self._backoff.retrying(sleep=self._note))
        self._attempt: AttemptManager | None = None  # the series has not begun

    def failed(self, error: Exception) -> None:
        """Say with what the attempt that is under way ended."""
        self._failure = error

    async def next(self) -> None:
        """Return when the next attempt is due.

        Raises the error of the last attempt if that is final, or if there were enough of them;
        from then on always. A cancelled wait is taken up again by the next call.
        """
        if self._given_up is not None:
            raise self._given_up
        error, self._failure = self._failure, None
        if error is not None:
            if self._attempt is None:
                self._attempt = await anext(self._series)
            self._attempt.retry_state.set_exception((type(error), error, error.__traceback__))
        try:
            self._attempt = await anext(self._series)
        except Exception as last:
            self._given_up = last
            raise
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))

    async def _note(self, seconds: float) -> None:
        # Noted here and slept elsewhere: a wait that is cancelled would else not be made up for.
        logger.info("trying again in %.3g s", seconds)
        self.wait_s = seconds
        self._due = time.monotonic() + seconds

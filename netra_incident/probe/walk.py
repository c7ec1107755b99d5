"""The golden path of any deployment, from outside: two addresses and two logins are enough.

Whatever answers at the addresses, or does not, becomes a failed step in bounded time.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from netra_incident.probe.golden_path import GoldenPath
from netra_ws.auth.users import DemoUser
from netra_ws.errors import (
    ConfigurationError,
    ConnectionEnded,
    HandshakeRefused,
    LoginError,
    NetraError,
)
from netra_ws.wire.urls import service_url

MAX_DETAIL = 300
"""Characters of a step's detail: a server may say anything, at any length."""

JWT = re.compile(r"eyJ[\w-]{8,}(\.[\w-]*)*")
"""A JSON web token or its beginning: the two letters before J are `{"` in base64 (RFC 7519)."""


@dataclass(frozen=True)
class Limits:
    """How long each step may take, in seconds; `whole_path_s` bounds all of them together."""

    log_in_s: float = 10.0
    connect_s: float = 2.0
    first_event_s: float = 5.0
    five_events_s: float = 10.0
    endpoints_s: float = 5.0
    isolation_s: float = 10.0
    reconnect_s: float = 10.0
    whole_path_s: float = 60.0


@dataclass(frozen=True)
class Step:
    """One step: `ok` is `None` where it was not tried.

    `seconds` is `None` for a step that was not tried, `limit_s` for one that waits for nobody.
    """

    name: str
    ok: bool | None
    seconds: float | None
    limit_s: float | None
    detail: str


@dataclass(frozen=True, repr=False)
class ProbeResult:
    """One golden path, step by step."""

    base_url: str
    auth_url: str
    steps: tuple[Step, ...]

    @property
    def ok(self) -> bool:
        """Whether every step was tried and held."""
        return all(step.ok for step in self.steps)

    @property
    def failed(self) -> list[str]:
        """Return the names of the steps that failed, without those that were not tried."""
        return [step.name for step in self.steps if step.ok is False]

    def __repr__(self) -> str:
        """Say how it came out, without an address or a time, so that a notebook may show it."""
        held = sum(step.ok is True for step in self.steps)
        failed = f"; failed: {', '.join(self.failed)}" if self.failed else ""
        return f"golden path: {held} of {len(self.steps)} steps held{failed}"


Progress = Callable[[Step], object]
"""Called after every step."""


async def probe(
    base_url: str,
    auth_url: str,
    logins: Sequence[DemoUser],
    *,
    limits: Limits | None = None,
    progress: Progress = lambda _: None,
) -> ProbeResult:
    """Walk the golden path once, as the first two of `logins`.

    Raises `ConfigurationError` for an address that is none, or fewer than two logins; whatever
    the deployment does is in the result.
    """
    if len(logins) < 2:
        raise ConfigurationError(f"expected two logins or more, for isolation; got {len(logins)}")
    path = GoldenPath(service_url(base_url), service_url(auth_url), logins[:2])
    return await _Walk(path, limits or Limits(), progress).to_the_end()


TO_ASK = ("log in", "connect")
TO_RUN = (*TO_ASK, "first event")
TO_SHARE = (*TO_RUN, "five events")
TO_RESUME = (*TO_SHARE, "digest")


class _Walk:
    """Takes the steps: bounds them, skips those that cannot be taken, says what went wrong."""

    def __init__(self, path: GoldenPath, limits: Limits, progress: Progress) -> None:
        self._path = path
        self._limits = limits
        self._progress = progress
        self._steps: list[Step] = []
        self._began = time.perf_counter()

    async def to_the_end(self) -> ProbeResult:
        """Take every step that can be taken."""
        path, limits = self._path, self._limits
        await self._take("log in", limits.log_in_s, path.log_in)
        try:
            await self._take("connect", limits.connect_s, path.connect, TO_ASK[:1])
            await self._take("first event", limits.first_event_s, path.first_event, TO_ASK)
            await self._take("five events", limits.five_events_s, path.five_events, TO_RUN)
            await self._take("digest", None, path.digest, TO_SHARE)
        finally:
            await path.hang_up()
        await self._take("endpoints", limits.endpoints_s, path.endpoints)
        await self._take("isolation", limits.isolation_s, path.isolation, TO_SHARE)
        await self._take("reconnect", limits.reconnect_s, path.reconnect, TO_RESUME)
        self._sum_up()
        return ProbeResult(path.base_url, path.auth_url, tuple(self._steps))

    async def _take(
        self,
        name: str,
        limit_s: float | None,
        step: Callable[[], Awaitable[str]],
        conditions: Sequence[str] = (),
    ) -> None:
        left_s = self._limits.whole_path_s - self._seconds()
        failed = [one.name for one in self._steps if one.ok is False and one.name in conditions]
        if failed or left_s <= 0:
            missing = failed[0] if failed else "whole path"
            self._note(name, None, None, limit_s, f"not tried: {missing} failed")
            return
        within_s, limit = left_s, f"the {self._limits.whole_path_s:g} s of the whole path"
        if limit_s is not None and limit_s < left_s:
            within_s, limit = limit_s, f"{limit_s:g} s"
        began = time.perf_counter()
        try:
            async with asyncio.timeout(within_s) as timer:
                ok, detail = True, await step()
        # Whoever answers may be anybody, and break any library in a way of its own: the answer
        # of a probe is then still no.
        except Exception as error:
            late = f"expected {self._path.awaited} within {limit}, it did not come"
            ok, detail = False, late if timer.expired() else self._explain(error)
        self._note(name, ok, time.perf_counter() - began, limit_s, detail)

    def _explain(self, error: Exception) -> str:
        if isinstance(error, ConnectionEnded):
            return f"expected {self._path.awaited}, but {error}"
        if isinstance(error, HandshakeRefused | LoginError) and error.status is None:
            why = str(error.__cause__ or "")
            return f"{error} ({why})" if why else str(error)
        if isinstance(error, NetraError):
            return str(error)
        return f"expected {self._path.awaited}, got {type(error).__name__}: {error}"

    def _sum_up(self) -> None:
        """Note the last step, which is all of them together."""
        seconds, limit_s = self._seconds(), self._limits.whole_path_s
        failed = [step.name for step in self._steps if step.ok is False]
        if seconds > limit_s:
            last = [step.name for step in self._steps if step.ok is not None][-1]
            detail = f"expected all steps within {limit_s:g} s, got to {last}"
            self._note("whole path", False, seconds, limit_s, detail)
        elif failed:
            detail = f"not tried: {failed[0]} failed"
            self._note("whole path", None, seconds, limit_s, detail)
        else:
            self._note("whole path", True, seconds, limit_s, "")

    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _note(
        self, name: str, ok: bool | None, seconds: float | None, limit_s: float | None, detail: str
    ) -> None:
        step = Step(name, ok, seconds, limit_s, plain(detail, self._path.secrets))
        self._steps.append(step)
        self._progress(step)


def plain(text: str, secrets: Sequence[str]) -> str:
    """Return `text` as one line that can be shown: a server may have put anything into it.

    Secrets are hidden, control characters are replaced, and it has `MAX_DETAIL` characters.
    """
    # Close reasons are shown in quotes; the longest first, for one may be part of another.
    forms = {form for secret in secrets for form in (secret, repr(secret)[1:-1]) if form}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "[hidden]")
    text = " ".join(JWT.sub("[hidden]", text).split())
    text = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
    return text if len(text) <= MAX_DETAIL else f"{text[: MAX_DETAIL - 1]}…"

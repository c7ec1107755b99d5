"""The timeline of a case, rehearsed: each milestone is reached on a real deployment, and timed."""

from __future__ import annotations

import time
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from netra_incident.case import Case, Milestone
from netra_incident.history.deployment import deploy
from netra_incident.measuring.comparison import Measurement, measure
from netra_incident.measuring.load import probe_endpoints, run_sessions
from netra_ws.errors import ConfigurationError

MILESTONES = ("started", "detected", "identified", "mitigated", "resolved")
"""What a rehearsal reaches, in this order."""

TIMES = "netra_ws.times"
"""Where the metadata of a notebook's output have the times of a rehearsal."""

USERS, EACH = 20, 5
"""The load before and after: users at once, and sessions of each."""


@dataclass(frozen=True)
class Moment:
    """A milestone and what showed that it was reached.

    `at_s` are seconds since the broken backend listened, `None` if it was not reached.
    """

    milestone: Milestone
    evidence: str
    at_s: float | None = None


@dataclass(frozen=True, repr=False)
class Timeline:
    """The milestones of a case as one rehearsal reached them.

    `broken` and `mended` are what the load saw before and after the mended revision was deployed.
    """

    moments: tuple[Moment, ...]
    broken: Measurement
    mended: Measurement

    @property
    def complete(self) -> bool:
        """Whether every milestone was reached."""
        return all(moment.at_s is not None for moment in self.moments)

    def __repr__(self) -> str:
        """Return a line for each milestone, without times, so that a notebook may show it."""
        return "\n".join(
            f"{moment.milestone.name:10}  {moment.evidence}" for moment in self.moments
        )

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the text, and as metadata, which nobody compares, the times in s."""
        del include, exclude
        return {"text/plain": repr(self)}, {TIMES: [moment.at_s for moment in self.moments]}

    def with_times(self) -> str:
        """Return a line for each milestone with its time, which differs between rehearsals."""
        times = (moment.at_s for moment in self.moments)
        words = ["not reached" if at is None else f"rehearsed +{at:.2f} s" for at in times]
        lines = repr(self).splitlines()
        return "\n".join(f"{word:>19}  {line}" for word, line in zip(words, lines, strict=True))


class _Rehearsal:
    """Marks the milestones of a case one after the other, and when each was reached."""

    def __init__(self, case: Case) -> None:
        self._milestones = iter(case.milestones)
        self._started = time.perf_counter()
        self.moments: list[Moment] = []

    def mark(self, evidence: str, *, reached: bool = True) -> None:
        at_s = time.perf_counter() - self._started if reached else None
        self.moments.append(Moment(next(self._milestones), evidence, at_s))


async def rehearse(case: Case) -> Timeline:
    """Play the incident on real servers, and time its milestones.

    The broken revision is deployed; a client's session and the log show what is wrong, and a
    hundred sessions how many it concerns. Then it is stopped, and the mended revision is
    deployed. Raises `ConfigurationError` if the case has other milestones than `MILESTONES`.
    """
    if tuple(milestone.name for milestone in case.milestones) != MILESTONES:
        names = ", ".join(milestone.name for milestone in case.milestones)
        raise ConfigurationError(f"expected the milestones {', '.join(MILESTONES)}, got {names}")
    with deploy(case.buggy, users=USERS) as deployment:
        rehearsal = _Rehearsal(case)
        rehearsal.mark(repr(deployment))
        [session] = await run_sessions(deployment, users=1, each=1)
        rehearsal.mark(session.outcome, reached=not session.completed)
        error = deployment.failures().get("/ws")
        where = f"{error['type']} at {error['where']}" if error else "nothing in the log"
        rehearsal.mark(where, reached=error is not None)
        broken = await measure(deployment, users=USERS, each=EACH)
    with deploy(case.fixed, users=USERS) as deployment:
        statuses = await probe_endpoints(deployment)
        answers = ", ".join(f"{path} {status}" for path, status in statuses.items())
        rehearsal.mark(answers, reached=set(statuses.values()) == {200})
        mended = await measure(deployment, users=USERS, each=EACH)
        completed = sum(session.completed for session in mended.sessions)
        whole = completed == len(mended.sessions)
        rehearsal.mark(f"{completed} of {len(mended.sessions)} sessions complete", reached=whole)
    return Timeline(tuple(rehearsal.moments), broken, mended)

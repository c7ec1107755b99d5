"""What must be reached, and whether it was: ratios of two servers paired in each round."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.results import Results, middle, ratios
from benchmarks.scenarios import GROWN
from benchmarks.servers import DEFAULT, OURS, TUNED

_OURS, _DEFAULT = OURS.name, DEFAULT.name


class Target(NamedTuple):
    """A ratio, and what it must and should come to.

    `top` and `bottom` are its two sides: a server and a measure of it. `at_least`: whether more
    is better.
    """

    title: str
    scenario: str
    top: tuple[str, str]
    bottom: tuple[str, str]
    at_least: bool
    must: float
    aim: float

    def reaches(self, ratio: float, bound: float) -> bool:
        """Whether `ratio` is as good as `bound`."""
        return ratio >= bound if self.at_least else ratio <= bound


TARGETS = (
    Target(
        "events per core, five to a request, 50 connections × 1 in flight",
        "50x1", (_DEFAULT, "us"), (_OURS, "us"), True, 3.0, 4.0,
    ),
    Target(
        "the same, 500 × 8 in flight",
        "500x8", (_DEFAULT, "us"), (_OURS, "us"), True, 3.5, 4.4,
    ),
    Target(
        "against FastAPI with a fast encoder, 50 × 1",
        "50x1", (TUNED.name, "us"), (_OURS, "us"), True, 2.1, 2.8,
    ),
    Target(
        "events per core when each comes alone",
        "alone", (_DEFAULT, "us"), (_OURS, "us"), True, 1.5, 1.8,
    ),
    Target(
        "p99 latency at 5,000 events/s",
        "paced", (_OURS, "p99_us"), (_DEFAULT, "p99_us"), False, 0.80, 0.65,
    ),
    Target(
        "authenticated handshakes per core, token seen before",
        "handshakes", (_DEFAULT, "seen_us"), (_OURS, "seen_us"), True, 1.4, 1.6,
    ),
    Target(
        "the same, token new",
        "handshakes", (_DEFAULT, "new_us"), (_OURS, "new_us"), True, 1.1, 1.25,
    ),
    Target(
        "memory per idle connection",
        "memory", (_OURS, "bytes"), (_DEFAULT, "bytes"), False, 0.55, 0.45,
    ),
    Target(
        "the same, if clients offer permessage-deflate, as browsers do",
        "memory-deflate", (_OURS, "bytes"), (_DEFAULT, "bytes"), False, 0.55, 0.45,
    ),
    Target(
        "cost per event, 10 → 10,000 users",
        "growth", (_OURS + GROWN, "us"), (_OURS, "us"), False, 1.3, 1.1,
    ),
)  # fmt: skip


class Verdict(NamedTuple):
    """A target and the ratios of the rounds in which it was measured."""

    target: Target
    ratios: list[float]

    @property
    def ratio(self) -> float:
        """The median, which is what is judged."""
        return middle(self.ratios)

    @property
    def reached(self) -> bool:
        """Whether what must be reached was."""
        return self.target.reaches(self.ratio, self.target.must)

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        if self.target.reaches(self.ratio, self.target.aim):
            return "aim reached"
        return "reached" if self.reached else "MISSED"


def judge(results: Results) -> list[Verdict]:
    """Return a verdict for each target of which something was measured."""
    verdicts = []
    for target in TARGETS:
        top = results.series(target.scenario, *target.top)
        if top:
            bottom = results.series(target.scenario, *target.bottom)
            verdicts.append(Verdict(target, ratios(top, bottom)))
    return verdicts

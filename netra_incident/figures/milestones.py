"""The milestones of an incident, as a rehearsal reached them."""

from __future__ import annotations

import textwrap

from netra_incident.figures.style import (
    BROKEN,
    INK,
    MARGIN,
    MONOSPACE,
    QUIET,
    WORKS,
    Picture,
    canvas,
    drawing,
    look,
)
from netra_incident.measuring.timeline import Moment, Timeline

ROW = 0.46
LINE = 1.72
WORDS = LINE + 0.2
CHARACTERS = 72

MENDING = ("mitigated", "resolved")
"""The milestones that are good news."""


def _fact(moment: Moment) -> str:
    reached = "not reached" if moment.at_s is None else "rehearsed"
    return f"{moment.milestone.name}: {reached}: {moment.evidence}"


def _title(timeline: Timeline) -> str:
    if timeline.complete:
        return "One session detects the outage, one log line explains it"
    missed = next(moment for moment in timeline.moments if moment.at_s is None)
    return f"The rehearsal ended before it was {missed.milestone.name}"


@look()
def milestones(timeline: Timeline) -> Picture:
    """Draw a row for each milestone: when it was reached, what it is, and what showed it.

    Raises `ValueError` for a timeline without milestones.
    """
    if not timeline.moments:
        raise ValueError("expected at least one milestone, got none")
    title = _title(timeline)
    height = ROW * len(timeline.moments) + MARGIN
    figure, top = canvas(
        title,
        "rehearsed once on this machine, without a build, a queue or a person; "
        "seconds since the broken backend listened; rows are not to scale",
        height,
    )
    area = drawing(figure)
    rows = [top - ROW * (number + 0.5) for number in range(len(timeline.moments))]
    area.plot([LINE, LINE], [rows[0], rows[-1]], color=QUIET, linewidth=1, zorder=1)
    for y, moment in zip(rows, timeline.moments, strict=True):
        good = moment.milestone.name in MENDING and moment.at_s is not None
        color = QUIET if moment.at_s is None else WORKS if good else BROKEN
        marker = "x" if moment.at_s is None else "o" if good else "s"
        area.plot(LINE, y, marker=marker, color=color, markersize=8, zorder=2)
        when = "not reached" if moment.at_s is None else f"rehearsed +{moment.at_s:.2f} s"
        area.text(LINE - 0.17, y, when, ha="right", va="center", color=INK)
        name, what = moment.milestone.name, moment.milestone.what
        area.text(WORDS, y + 0.03, name, weight="bold", va="bottom", color=color)
        area.text(WORDS + 0.85, y + 0.03, what, va="bottom")
        evidence = textwrap.shorten(moment.evidence, CHARACTERS, placeholder=" …")
        area.text(WORDS, y - 0.04, evidence, family=MONOSPACE, va="top", color=QUIET)
    facts = [_fact(moment) for moment in timeline.moments]
    alt = f"Milestones of the incident below each other, each with its time. {'; '.join(facts)}."
    return Picture(figure, facts, alt)

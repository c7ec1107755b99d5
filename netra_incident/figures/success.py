"""Success with intervals: what the handshakes say beside what the users got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

from matplotlib.axes import Axes

from netra_incident.figures.style import (
    BROKEN,
    FAINT,
    INK,
    MARGIN,
    QUIET,
    WORKS,
    Picture,
    axes,
    canvas,
    look,
    percent,
    plural,
)
from netra_incident.measuring.load import Session
from netra_incident.measuring.statistics import TARGET
from netra_incident.measuring.statistics import (
    wilson as wilson,  # of the public names of the figures
)

LEFT = 1.1
RIGHT = 4.7


class Revision(NamedTuple):
    """A revision, and how it is drawn."""

    name: str
    sessions: Sequence[Session]
    color: str
    marker: str


def _accepted(session: Session) -> bool:
    return session.handshake == HTTPStatus.SWITCHING_PROTOCOLS


def _completed(session: Session) -> bool:
    return session.completed


MEASURES: tuple[tuple[str, Callable[[Session], bool]], ...] = (
    ("handshake accepted", _accepted),
    ("session complete", _completed),
)


def _title(accepted: float, completed: float) -> str:
    if accepted - completed < 1 - TARGET:
        return "Handshakes and sessions agree"
    return (
        f"Handshakes say {percent(accepted)} all through the outage, sessions {percent(completed)}"
    )


def _row(area: Axes, y: float, revision: Revision, done: int) -> None:
    n = len(revision.sessions)
    low, high = (bound * 100 for bound in wilson(done, n))
    beside = area.get_yaxis_transform()
    area.plot((0, 100), (y, y), color=FAINT, linewidth=0.6, zorder=0)
    area.plot(
        (low, high),
        (y, y),
        color=revision.color,
        linewidth=2,
        solid_capstyle="butt",
        clip_on=False,
    )
    if n:
        for bound in (low, high):
            if abs(bound - done / n * 100) > 1:  # a cap behind the point would only blur it
                area.plot(bound, y, "|", color=revision.color, markersize=11, markeredgewidth=2)
        area.plot(
            done / n * 100,
            y,
            revision.marker,
            color=revision.color,
            markersize=9,
            markeredgecolor="white",
            clip_on=False,
        )
    area.text(
        -0.04, y, revision.name, color=revision.color, ha="right", va="center", transform=beside
    )
    area.text(
        1.04,
        y,
        f"{done} of {n}",
        color=revision.color,
        weight="bold",
        va="center",
        transform=beside,
    )
    area.text(1.28, y, f"{low:.1f} to {high:.1f} %", color=QUIET, va="center", transform=beside)


@look()
def success(broken: Sequence[Session], working: Sequence[Session]) -> Picture:
    """Draw handshakes beside complete sessions, of a broken and of a working revision.

    Whoever watches the handshakes alone sees no difference between the two.
    """
    revisions = (
        Revision("broken", broken, BROKEN, "X"),
        Revision("working", working, WORKS, "o"),
    )
    title = _title(*(sum(map(holds, broken)) / max(1, len(broken)) for _, holds in MEASURES))
    figure, top = canvas(
        title,
        f"share of sessions with its Wilson 95 % interval; n = {len(broken)} broken and "
        f"{plural(len(working), 'working session')}",
    )
    area = axes(figure, LEFT, 0.55, RIGHT, top - 0.3)
    area.axvline(TARGET * 100, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    area.annotate(
        f"{percent(TARGET)} wanted",
        (TARGET * 100, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
    )
    facts = []
    for group, (measure, holds) in enumerate(MEASURES):
        area.text(
            (MARGIN - LEFT) / (RIGHT - LEFT),
            -3 * group,
            measure,
            weight="bold",
            va="center",
            transform=area.get_yaxis_transform(),
        )
        for row, revision in enumerate(revisions, 1):
            done, n = sum(map(holds, revision.sessions)), len(revision.sessions)
            _row(area, -3 * group - row, revision, done)
            low, high = wilson(done, n)
            facts.append(
                f"{measure}, {revision.name}: {done}/{n}, "
                f"interval {percent(low, 1)} to {percent(high, 1)}"
            )
    shown = wilson(sum(session.completed for session in working), len(working))[0] > TARGET
    facts.append(f"working sessions proven above {percent(TARGET)}: {shown}")
    area.set(ylim=(-5.6, 0.4), xlim=(0, 100), yticks=[], xlabel="share of sessions, %")
    alt = f"Four rows of points with intervals from 0 to 100 %. {title}. {'; '.join(facts)}."
    return Picture(figure, facts, alt)

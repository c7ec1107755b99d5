"""The success rate of traffic over time, with a mark for each session."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes

from netra_incident.drill import TrafficSession
from netra_incident.figures.style import BROKEN, INK, QUIET, WIDTH, WORKS

BIN_S = 0.25
"""A point of the success rate is that of the sessions that began within so many seconds."""

MARKS = {
    "complete": ("o", WORKS, 1.0),
    "not complete": ("X", BROKEN, 0.0),
    "no backend": ("^", QUIET, 0.0),
}
"""Marker and colour of each kind of session, and the share that it is drawn beyond."""

OUTSIDE = 0.16
"""From 100 % or 0 % to the marks of the first user, and from each user to the next half of it."""


def _rates(sessions: Sequence[TrafficSession]) -> list[tuple[float, float]]:
    """Return the start of each bin that has sessions, and the share that completed."""
    ordered = sorted(sessions, key=lambda session: session.start_s)
    rates = []
    for number, group in groupby(ordered, key=lambda session: int(session.start_s / BIN_S)):
        complete = [session.complete for session in group]
        rates.append((number * BIN_S, sum(complete) / len(complete)))
    return rates


def _kind(session: TrafficSession) -> str:
    if session.complete:
        return "complete"
    return "no backend" if session.unserved else "not complete"


def draw_success_rate(area: Axes, sessions: Sequence[TrafficSession]) -> None:
    """Draw it in axes of time in seconds: the share from 0 to 100 %, the marks beyond.

    The kinds of marks are named to the right of the axes.
    """
    rates = _rates(sessions)
    if rates:
        starts, shares = zip(*rates, strict=True)
        area.stairs(shares, (*starts, starts[-1] + BIN_S), color=INK, linewidth=1.5, baseline=None)
    users = list(dict.fromkeys(session.user_id for session in sessions))
    for kind, (marker, color, edge) in MARKS.items():
        outwards = OUTSIDE if edge else -OUTSIDE
        chosen = [session for session in sessions if _kind(session) == kind]
        area.plot(
            [session.start_s for session in chosen],
            [edge + outwards * (1 + users.index(one.user_id) / 2) for one in chosen],
            marker,
            color=color,
            markerfacecolor="none" if kind == "no backend" else color,
            markeredgewidth=0.8 if kind == "no backend" else 0,
            markersize=3.5,
            clip_on=False,
        )
    _name_marks(area)
    area.set_ylim(-0.5, 1.5)
    area.set_yticks((0, 1), ("0 %", "100 %"))


def _name_marks(area: Axes) -> None:
    beside = area.get_yaxis_transform()
    inch = 1 / (area.get_position().width * WIDTH)
    for (kind, (marker, color, _)), y in zip(MARKS.items(), (1.24, 0.0, -0.34), strict=True):
        hollow = kind == "no backend"
        area.plot(
            1 + 0.16 * inch,
            y,
            marker,
            color=color,
            markerfacecolor="none" if hollow else color,
            markersize=6,
            transform=beside,
            clip_on=False,
        )
        area.text(1 + 0.28 * inch, y, kind, color=color, va="center", transform=beside)

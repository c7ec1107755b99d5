"""Event swimlanes: what each user got, and when, with the bug above and without it below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes

from netra_ws.events import EVENT_TYPES
from netra_ws.incident.figures.arrivals import arrivals, milliseconds
from netra_ws.incident.figures.style import (
    BROKEN,
    FAINT,
    INK,
    MARGIN,
    MARKERS,
    QUIET,
    WIDTH,
    WORKS,
    Picture,
    axes,
    canvas,
    look,
)
from netra_ws.incident.load import Session

LANES = 4
"""How many users have a lane; the facts count all of them."""

LEFT = 0.75
RIGHT = 5.65
STEP = 0.14
GAP = 0.18
HEADING = 0.32
AXIS = 0.5

STEPS = {event_type: -index * STEP for index, event_type in enumerate(EVENT_TYPES)}
"""How far below the top of its lane each type is drawn, so that events of one moment part."""


def _ends(sessions: Sequence[Session]) -> str:
    codes = Counter(session.close_code for session in sessions if not session.completed)
    return ", ".join(f"{code} × {count}" for code, count in sorted(codes.items()))


def _facts(name: str, sessions: Sequence[Session]) -> list[str]:
    n, users = len(sessions), len({session.user_id for session in sessions})
    own = [event.own for session in sessions for event in arrivals(session)]
    facts = [
        f"{name}: {sum(own)} events in {n} sessions of {users} users",
        f"{name}: {sum(session.completed for session in sessions)} of {n} sessions complete",
    ]
    if ends := _ends(sessions):
        facts.append(f"{name}: incomplete sessions by close code: {ends}")
    if leaked := own.count(False):
        facts.append(f"{name}: {leaked} events of another user")
    return facts


def _lane(area: Axes, y: float, sessions: Sequence[Session]) -> None:
    """Draw all sessions of one user over each other, and the middle one of each mark boldly."""
    area.text(0, y, sessions[0].user_id, ha="right", va="center")
    by_type: dict[str, list[float]] = {}
    for session in sessions:
        events = arrivals(session)
        area.plot(
            [event.ms for event in events],
            [y + STEPS[event.type] for event in events],
            color=WORKS,
            alpha=0.25,
            linewidth=0.8,
        )
        for event in events:
            by_type.setdefault(event.type, []).append(event.ms)
            area.plot(
                event.ms,
                y + STEPS[event.type],
                MARKERS[event.type],
                color=WORKS if event.own else BROKEN,
                markeredgewidth=0,
                markersize=5,
                alpha=0.3,
            )
    for event_type, times in by_type.items():
        area.plot(
            median(times),
            y + STEPS[event_type],
            MARKERS[event_type],
            color=WORKS,
            markeredgecolor="white",
            markersize=7.5,
            zorder=4,
        )
    ends = [milliseconds(s, s.ended) for s in sessions if not s.completed]
    if ends:
        cross = {"color": BROKEN, "marker": "x", "linestyle": "none", "clip_on": False}
        area.plot((0, median(ends)), (y, y), color=BROKEN, linewidth=1.2, zorder=1)
        area.plot(ends, [y] * len(ends), markersize=6, alpha=0.4, **cross)
        area.plot(median(ends), y, markersize=9, markeredgewidth=3, zorder=4, **cross)
        area.annotate(_ends(sessions), (max(ends), y), xytext=(9, 0), textcoords="offset points",
            color=BROKEN, weight="bold", va="center")


@look()
def swimlanes(broken: Sequence[Session], working: Sequence[Session]) -> Picture:
    panels = (("broken", broken, BROKEN), ("working", working, WORKS))
    facts = [f for name, s, _ in panels for f in _facts(name, s)]
    def lane_height(s):
        return STEP * (len(EVENT_TYPES) - 1 if any(x.events for x in s) else 0) + GAP
    heights = [HEADING + lane_height(s) * min(LANES, len({x.user_id for x in s})) for _, s, _ in panels]
    fig, top = canvas("Title", "sub", AXIS + sum(heights) + 0.75)
    bottom = AXIS + sum(heights)
    import os
    last = max([milliseconds(x, x.ended) for s in (broken, working) for x in s])
    area = axes(fig, LEFT, AXIS, RIGHT, bottom)
    y = bottom - AXIS
    area.set(ylim=(0, y))
    if os.environ.get("LOG"):
        area.set_xscale("log"); area.set_xlim(0.2, last*1.2)
    else:
        area.set_xlim(0, last*1.05)
    for (name, s, c), h in zip(panels, heights):
        area.text(0.1, y-.15, name, color=c, weight="bold")
        yy = y - HEADING
        for u in sorted({x.user_id for x in s})[:LANES]:
            _lane(area, yy, [x for x in s if x.user_id == u])
            yy -= lane_height(s)
        y -= h
    area.set(yticks=[])
    return Picture(fig, facts, "")

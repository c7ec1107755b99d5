"""Event swimlanes: what each user got, and when, with the bug above and without it below."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from matplotlib.axes import Axes

from netra_incident.figures.arrivals import arrivals, milliseconds
from netra_incident.figures.style import (
    BROKEN,
    CHARACTER,
    MARGIN,
    MARKERS,
    WIDTH,
    WORKS,
    Picture,
    axes,
    canvas,
    look,
    plural,
    short,
)
from netra_incident.measuring.load import Session
from netra_incident.table import tally
from netra_ws.events import EVENT_TYPES

LANES = 4
"""How many users have a lane; the facts count all of them."""

SLOWEST = 3.0
"""Where the axis ends at the latest, in medians: one slow session must not squeeze the others."""

RIGHT = 5.45
STEP = 0.145
GAP = 0.2
HEADING = 0.34
AXIS = 0.5

STEPS = {event_type: -index * STEP for index, event_type in enumerate(EVENT_TYPES)}
"""How far below the top of its lane each type is drawn, so that events of one moment part."""

BOTTOM_STEP = min(STEPS.values())


class Panel(NamedTuple):
    """The sessions of one revision, and how they are drawn."""

    name: str
    sessions: Sequence[Session]
    color: str

    @property
    def users(self) -> list[str]:
        """Everyone who had a session, in order."""
        return list(dict.fromkeys(session.user_id for session in self.sessions))

    @property
    def depth(self) -> float:
        """How far the steps of a lane go down; a lane without events is a single line."""
        return BOTTOM_STEP if any(session.events for session in self.sessions) else 0

    @property
    def height(self) -> float:
        """The height of the heading and the lanes."""
        return HEADING + len(self.users[:LANES]) * (GAP - self.depth)

    @property
    def summary(self) -> str:
        """What arrived, in counts."""
        own = sum(event.own for session in self.sessions for event in arrivals(session))
        return f"{self.name}: {plural(own, 'event')} in {plural(len(self.sessions), 'session')}"


def _end(session: Session) -> float:
    return milliseconds(session, session.ended)


def _codes(sessions: Sequence[Session]) -> str:
    return tally(session.close_code for session in sessions if not session.completed)


def _facts(panel: Panel) -> list[str]:
    sessions = panel.sessions
    complete = sum(session.completed for session in sessions)
    facts = [
        f"{panel.summary} of {plural(len(panel.users), 'user')}",
        f"{panel.name}: {complete} of {plural(len(sessions), 'session')} complete",
    ]
    if codes := _codes(sessions):
        facts.append(f"{panel.name}: close codes without a complete run: {codes}")
    if leaked := sum(not event.own for session in sessions for event in arrivals(session)):
        facts.append(f"{panel.name}: {plural(leaked, 'event')} of another user")
    return facts


def _title(broken: Sequence[Session], working: Sequence[Session]) -> str:
    def say(sessions: Sequence[Session]) -> str:
        complete = sum(session.completed for session in sessions)
        if not sessions:
            return "no session"
        if complete == len(sessions):
            return "every run whole"
        if any(session.events for session in sessions):
            return f"{complete} of {len(sessions)} runs whole"
        return "not one event"

    return f"{say(broken).capitalize()} with the bug, {say(working)} without it"


def _draw_events(area: Axes, y: float, sessions: Sequence[Session], limit: float) -> None:
    times: dict[str, list[float]] = {}
    for session in sessions:
        events = arrivals(session)
        for event in events:
            times.setdefault(event.type, []).append(event.ms)
        shown = [event for event in events if event.ms <= limit]
        places = [y + STEPS[event.type] for event in shown]
        area.plot([event.ms for event in shown], places, color=WORKS, alpha=0.25, linewidth=0.8)
        for event, place in zip(shown, places, strict=True):
            area.plot(
                event.ms,
                place,
                MARKERS[event.type],
                color=WORKS if event.own else BROKEN,
                markeredgewidth=0,
                markersize=5,
                alpha=0.35,
            )
    for event_type, moments in times.items():
        area.plot(
            median(moments),
            y + STEPS[event_type],
            MARKERS[event_type],
            color=WORKS,
            markeredgecolor="white",
            markersize=8,
            zorder=4,
        )


def _draw_ends(area: Axes, y: float, sessions: Sequence[Session], limit: float) -> None:
    ends = [_end(session) for session in sessions if not session.completed]
    if not ends:
        return
    area.plot((0, median(ends)), (y, y), color=BROKEN, linewidth=1.2, zorder=1)
    area.plot(ends, [y] * len(ends), "x", color=BROKEN, markersize=6, alpha=0.45)
    area.plot(median(ends), y, "x", color=BROKEN, markersize=9, markeredgewidth=3, zorder=4)
    area.annotate(
        _codes(sessions),
        (min(max(ends), limit), y),
        xytext=(9, 0),
        textcoords="offset points",
        color=BROKEN,
        weight="bold",
        va="center",
    )


def _name_types(area: Axes, y: float) -> None:
    beside = area.get_yaxis_transform()
    away = 0.13 / (area.get_position().width * WIDTH)
    for event_type, below in STEPS.items():
        area.plot(
            1 + away,
            y + below,
            MARKERS[event_type],
            color=WORKS,
            markersize=6,
            transform=beside,
            clip_on=False,
        )
        area.text(1 + 2 * away, y + below, event_type, color=WORKS, va="center", transform=beside)


def _draw_panel(area: Axes, top: float, panel: Panel, limit: float, *, name_types: bool) -> None:
    """Draw the lanes of a panel downwards from `top`."""
    beside = area.get_yaxis_transform()
    area.text(
        0, top - HEADING / 2, panel.summary, color=panel.color, weight="bold", transform=beside
    )
    y = top - HEADING - GAP / 2 + 0.05
    for index, user in enumerate(panel.users[:LANES]):
        sessions = [session for session in panel.sessions if session.user_id == user]
        area.annotate(
            short(user),
            (0, y + panel.depth / 2),
            xycoords=beside,
            xytext=(-8, 0),
            textcoords="offset points",
            ha="right",
            va="center",
        )
        _draw_events(area, y, sessions, limit)
        _draw_ends(area, y, sessions, limit)
        if name_types and index == 0:
            _name_types(area, y)
        y -= GAP - panel.depth


def _limit(ends: Sequence[Sequence[float]]) -> float:
    longest = SLOWEST * max((median(panel) for panel in ends if panel), default=0)
    return 1.03 * max((end for panel in ends for end in panel if end <= longest), default=1)


def _subtitle(panels: Sequence[Panel], users: int, slow: int) -> str:
    counts = " and ".join(str(len(panel.sessions)) for panel in panels)
    parts = [f"time from asking, over loopback; n = {counts} sessions", "bold: medians"]
    if users > LANES:
        parts.append(f"{LANES} of {users} users shown")
    if slow:
        parts.append(f"{slow} slower than the axis")
    return "; ".join(parts)


def _draw_panels(area: Axes, top: float, panels: Sequence[Panel], limit: float) -> None:
    """Draw the panels downwards from `top`; the types are named in the first that has events."""
    named = next((panel for panel in panels if panel.depth), None)
    for panel in panels:
        _draw_panel(area, top, panel, limit, name_types=panel is named)
        top -= panel.height


@look()
def swimlanes(broken: Sequence[Session], working: Sequence[Session]) -> Picture:
    """Draw a lane for each user, broken above working, from the moment the user asked.

    All sessions of a user lie over each other in their lane; the bold marks are the medians. The
    five types step down, because over loopback several arrive at the same moment.
    """
    panels = (Panel("broken", broken, BROKEN), Panel("working", working, WORKS))
    ends = [[_end(session) for session in panel.sessions] for panel in panels]
    limit = _limit(ends)
    slow = sum(end > limit for panel in ends for end in panel)
    title = _title(broken, working)
    users = max((panel.users for panel in panels), key=len)
    height = AXIS + sum(panel.height for panel in panels)
    figure, _ = canvas(title, _subtitle(panels, len(users), slow), height + 0.06)
    left = MARGIN + 0.12 + CHARACTER * max((len(short(user)) for user in users[:LANES]), default=0)
    area = axes(figure, left, AXIS, RIGHT, height)
    top = height - AXIS
    area.set(xlim=(0, limit), ylim=(0, top), yticks=[], xlabel="milliseconds since the user asked")
    _draw_panels(area, top, panels, limit)
    facts = [fact for panel in panels for fact in _facts(panel)]
    alt = (
        f"Lanes of {len(users)} users on a time axis, broken above working. {title}. "
        f"Incomplete sessions end at a cross with their close code. {'; '.join(facts)}."
    )
    return Picture(figure, facts, alt)

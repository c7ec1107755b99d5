"""The distribution of delivery latency: how long after the question each event came."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from netra_incident.figures.arrivals import arrivals
from netra_incident.figures.style import (
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
from netra_incident.measuring.load import Session
from netra_ws.events import EVENT_TYPES

FIRST, *_, LAST = EVENT_TYPES

LINES = dict(
    zip(EVENT_TYPES, ("-", (0, (1, 1)), (0, (5, 2)), (0, (5, 1.5, 1, 1.5)), "-"), strict=True)
)

PLACES = dict(zip(EVENT_TYPES, (0.83, 0.62, 0.28, 0.74, 0.26), strict=True))
"""The share of sessions at which each line has its label. Events come in this order, so the first
three are labelled on the left and the others on the right: no label lies on a line."""

ON_THE_LEFT = EVENT_TYPES[:3]

COLUMN = 0.3
"""The part of the axis that is kept free on either side for the labels."""


def _times(sessions: Sequence[Session]) -> dict[str, list[float]]:
    """Return the milliseconds to the first event of each type, sorted."""
    times: dict[str, list[float]] = {event_type: [] for event_type in EVENT_TYPES}
    for session in sessions:
        first: dict[str, float] = {}
        for event in arrivals(session):
            if event.own:
                first.setdefault(event.type, event.ms)
        for event_type, ms in first.items():
            times[event_type].append(ms)
    return {event_type: sorted(found) for event_type, found in times.items()}


def _quantile(times: Sequence[float], n: int, share: float) -> float:
    """Return the time by which a share of `n` sessions had the event.

    `times` has fewer than `n` entries if events were lost: what is lost is infinitely late.
    """
    rank = max(1, math.ceil(share * n))
    return times[rank - 1] if rank <= len(times) else math.inf


def _say(ms: float) -> str:
    if math.isinf(ms):
        return "never"
    if ms >= 1000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.2f} ms" if ms < 10 else f"{ms:.0f} ms"


def _draw_line(area: Axes, event_type: str, times: Sequence[float], n: int, last: float) -> None:
    """Draw a staircase, and beside it a label that points to it."""
    outer = event_type in (FIRST, LAST)
    color = WORKS if outer else QUIET
    p50, p99 = _quantile(times, n, 0.5), _quantile(times, n, 0.99)
    if times:
        area.step(
            [times[0], *times, last],
            [rank / n for rank in (0, *range(1, len(times) + 1), len(times))],
            where="post",
            color=color,
            linewidth=2.2 if outer else 1.4,
            linestyle=LINES[event_type],
            zorder=2 if outer else 3,  # dashes on a solid line show that the two coincide
        )
    if outer:
        for x, y in ((p50, 0.5), (p99, 0.99)):
            area.plot(x, y, "o", color="white", markeredgecolor=color, markersize=6, zorder=4)
    y = PLACES[event_type]
    left = event_type in ON_THE_LEFT
    edge = COLUMN - 0.03 if left else 1 - COLUMN + 0.03
    if times and len(times) >= y * n:
        place = _quantile(times, n, y)
        area.annotate(
            "",
            (place, y),
            xytext=(edge, y),
            textcoords=("axes fraction", "data"),
            arrowprops={"arrowstyle": "-", "color": FAINT, "shrinkA": 2, "shrinkB": 0},
        )
        area.plot(place, y, MARKERS[event_type], color=color, markersize=6, zorder=4)
    align = "right" if left else "left"
    area.annotate(
        event_type,
        (edge, y),
        xycoords=("axes fraction", "data"),
        xytext=(0, 1),
        textcoords="offset points",
        ha=align,
        va="bottom",
        color=color if outer else INK,
        weight="bold",
    )
    area.annotate(
        f"p50 {_say(p50)}, p99 {_say(p99)}",
        (edge, y),
        xycoords=("axes fraction", "data"),
        xytext=(0, -1),
        textcoords="offset points",
        ha=align,
        va="top",
    )


def _scale(area: Axes, low: float, high: float) -> None:
    """Make the axis logarithmic from `low` to `high`, with a free column on either side."""
    decades = max(0.5, math.log10(high / low))
    column = 10 ** (decades * COLUMN / (1 - 2 * COLUMN))
    area.set_xscale("log")
    area.set_xlim(low / column, high * column)
    ticks = [
        digit * 10.0**power
        for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        for digit in ((1, 2, 5) if decades < 2 else (1,))
        if low / 2.5 <= digit * 10.0**power <= high * 2.5
    ]
    area.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    area.set_xticks([], minor=True)
    area.spines["bottom"].set_bounds(min(low, ticks[0]), max(high, ticks[-1]))


def _heard_early(sessions: Sequence[Session]) -> int:
    """Return in how many sessions the user's first event came before the last."""
    moments = [[event.ms for event in arrivals(session) if event.own] for session in sessions]
    return sum(bool(own) and own[0] < own[-1] for own in moments)


def _title(sessions: Sequence[Session], times: Mapping[str, Sequence[float]]) -> str:
    n = len(sessions)
    if not any(times.values()):
        return "No event arrived"
    if any(len(found) < n for found in times.values()):
        return "Some events never arrive"
    if _heard_early(sessions) < n:
        return "Every event arrives"
    return "The user hears from the agent before it is done, every time"


def _facts(sessions: Sequence[Session], times: Mapping[str, Sequence[float]]) -> list[str]:
    n = len(sessions)
    return [
        *(
            f"{event_type}: arrived in {len(found)} of {n} sessions"
            for event_type, found in times.items()
        ),
        f"first event before the last: {_heard_early(sessions)} of {n} sessions",
    ]


@look()
def latency_ecdf(sessions: Sequence[Session]) -> Picture:
    """Draw, for each type of event, the share of sessions that had it by a given time.

    Sessions that never got an event count too: its line then ends below 100 %.
    """
    n = len(sessions)
    times = _times(sessions)
    facts = _facts(sessions, times)
    everything = [ms for found in times.values() for ms in found]
    title = _title(sessions, times)
    figure, top = canvas(
        title,
        f"share of sessions that have the event; loopback, n = {n}; circles mark p50 and p99"
        f"{', the slowest' if n <= 100 else ''}",
    )
    area = axes(figure, 0.65, 0.55, WIDTH - MARGIN, top - 0.15)
    low, high = min(everything, default=1), max(everything, default=10)
    _scale(area, low, high)
    for event_type, found in times.items():
        _draw_line(area, event_type, found, n, high * 1.1)
    area.set(ylim=(-0.02, 1.05), xlabel="milliseconds since the user asked, logarithmic")
    area.set_yticks((0, 0.5, 0.99), ("0 %", "50 %", "99 %"))
    alt = f"One rising staircase for each of the five types of event. {title}. {'; '.join(facts)}."
    return Picture(figure, facts, alt)

"""The drill on one axis of time: its steps above, what the users got below."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes

from netra_incident.drill import Drill, Step, TrafficSession
from netra_incident.figures.style import (
    BROKEN,
    CHARACTER,
    INK,
    MARGIN,
    QUIET,
    WIDTH,
    WORKS,
    Picture,
    axes,
    canvas,
    look,
    plural,
)
from netra_incident.figures.success_rate import BIN_S, draw_success_rate

LEFT = 1.2
RIGHT = WIDTH - 1.3
ROW = 0.15
RATE = 0.97
AXIS = 0.48
GAP = 0.06

BUG = "bug deployed"
BRACKETS = 2
"""Rows whose steps are over before the bug is deployed: to the right of them there is room."""

Span = tuple[float, float]


# What it says


def _every(sessions: Iterable[TrafficSession]) -> str:
    """Say how many sessions completed, in words that do not depend on how many there were."""
    complete = {session.complete for session in sessions}
    return {
        frozenset[bool](): "no session at all",
        frozenset({True}): "every session complete",
        frozenset({False}): "no session complete",
    }.get(frozenset(complete), "some sessions complete, others not")


def _phases(drill: Drill, end_s: float) -> dict[str, Span]:
    """Return when each backend served; what is between them is a restart."""
    starts = [
        step.start_s for step in drill.steps if step.name == "redeploy" and step.ok is not None
    ]
    stops = [*starts, end_s]
    phases = {"fix deployed": (0.0, stops[0])}
    if drill.broken_s is not None:
        phases[BUG] = (drill.broken_s, next(s for s in stops if s >= drill.broken_s))
    if drill.mended_s is not None:
        phases["fix reapplied"] = (drill.mended_s, end_s)
    return phases


def _within(drill: Drill, span: Span) -> list[TrafficSession]:
    return [one for one in drill.sessions if span[0] <= one.start_s and one.end_s < span[1]]


def _facts(drill: Drill, phases: dict[str, Span]) -> list[str]:
    outcomes = {True: "as planned", False: "failed", None: "not tried"}
    facts = [
        f"{outcome}: {', '.join(names)}"
        for ok, outcome in outcomes.items()
        if (names := [step.name for step in drill.steps if step.ok is ok])
    ]
    facts += [f"{phase}: {_every(_within(drill, span))}" for phase, span in phases.items()]
    if drill.detected is not None:
        facts.append(f"detected: {drill.detected.outcome}")
    for name, seconds in _times(drill).items():
        facts.append(f"time to {name}: {'not measured' if seconds is None else 'measured'}")
    facts.append(f"new failures: {len(drill.new_failures) or 'none'}")
    return facts


def _times(drill: Drill) -> dict[str, float | None]:
    return {"detect": drill.time_to_detect_s, "recover": drill.time_to_recover_s}


def _title(drill: Drill, phases: dict[str, Span]) -> str:
    if drill.interrupted:
        back = ", and the fix is deployed again" if drill.mended_s is not None else ""
        return f"The drill was interrupted{back}"
    if drill.deviated:
        failed = ", ".join(step.name for step in drill.steps if step.ok is False)
        return f"The drill deviated: {failed} failed" if failed else "The drill deviated"
    if any(session.complete for session in _within(drill, phases[BUG])):
        return "The outage shows in some sessions, the fix ends it"
    return "The outage shows in the first session, the fix ends it"


# The steps


def _draw_step(area: Axes, y: float, step: Step, limit_s: float) -> None:
    color = WORKS if step.ok else BROKEN if step.ok is False else QUIET
    area.text(
        -0.1 / (RIGHT - LEFT),
        y,
        f"✕ {step.name}" if step.ok is False else step.name,
        color=INK if step.ok else color,
        weight="bold" if step.ok is False else "normal",
        ha="right",
        va="center",
        transform=area.get_yaxis_transform(),
    )
    if step.ok is not None:
        wide = step.seconds > limit_s / 100
        area.barh(
            y,
            step.seconds,
            left=step.start_s,
            height=0.62,
            color=color,
            edgecolor="white" if wide else color,
            hatch=None if step.ok or not wide else "////",
            linewidth=0 if wide else 1.2,
        )
    if not step.ok:
        words = "not tried" if step.ok is None else "failed"
        _beside(area, step.start_s + step.seconds, y, words, color)


def _beside(area: Axes, x: float, y: float, words: str, color: str) -> None:
    """Write to the right of a moment; there is room at the end of the axis, too."""
    area.annotate(
        words,
        (x, y),
        xytext=(7, 0),
        textcoords="offset points",
        color=color,
        va="center",
        weight="normal" if color == QUIET else "bold",
    )


def _draw_bracket(
    area: Axes, y: float, span: Span, limit_s: float, name: str, seconds: float
) -> None:
    area.annotate(
        "",
        (span[0], y),
        xytext=(span[1], y),
        arrowprops={"arrowstyle": "|-|,widthA=0.3,widthB=0.3", "shrinkA": 0, "shrinkB": 0},
    )
    inch = (RIGHT - LEFT) / limit_s
    words = f"time to {name} {seconds:.2f} s"
    needed = len(words) * CHARACTER + 0.2
    if (span[1] - span[0]) * inch > needed:
        area.text(
            sum(span) / 2,
            y,
            words,
            ha="center",
            va="center",
            weight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
        )
    else:
        fits = (limit_s - span[1]) * inch + WIDTH - RIGHT - MARGIN > needed
        _beside(area, span[1], y, words if fits else words.removeprefix("time to "), INK)


def _name_phases(area: Axes, phases: dict[str, Span], limit_s: float) -> None:
    """Name each phase at half the height, in full where there is room."""
    for phase, (start_s, end_s) in phases.items():
        inches = (end_s - start_s) / limit_s * (RIGHT - LEFT)
        for words in (phase, phase.split()[0]):
            if inches > len(words) * CHARACTER:
                area.text((start_s + end_s) / 2, 0.5, words, ha="center", va="center", color=QUIET)
                break


@look()
def drill_timeline(drill: Drill) -> Picture:
    """Draw the steps of a drill above, and the success rate of its traffic below."""
    ends = [step.end_s or step.start_s for step in drill.steps]
    limit_s = max([*ends, *(session.end_s for session in drill.sessions), BIN_S])
    phases = _phases(drill, limit_s)
    users = len({session.user_id for session in drill.sessions})
    title, facts = _title(drill, phases), _facts(drill, phases)
    steps_height = ROW * max(1, len(drill.steps))
    height = AXIS + RATE + GAP + steps_height
    figure, _ = canvas(
        title,
        f"rehearsed over loopback; share of sessions complete, in bins of {BIN_S:g} s; "
        f"n = {len(drill.sessions)} of {plural(users, 'user')}",
        height + 0.08,
    )
    above = axes(figure, LEFT, AXIS + RATE + GAP, RIGHT, height)
    below = axes(figure, LEFT, AXIS, RIGHT, AXIS + RATE)
    for area in (above, below):
        area.set(xlim=(0, limit_s), yticks=[])
    above.set(ylim=(0.5 - max(1, len(drill.steps)), 0.5), xticks=[])
    above.spines["bottom"].set_visible(False)
    if BUG in phases:
        for area, top in ((above, 1 - BRACKETS / len(drill.steps)), (below, 1)):
            area.axvspan(*phases[BUG], ymax=top, color=BROKEN, alpha=0.13, linewidth=0, zorder=0)
    for row, step in enumerate(drill.steps):
        _draw_step(above, -row, step, limit_s)
    for row, (name, seconds) in enumerate(reversed(_times(drill).items())):
        if seconds is not None and drill.broken_s is not None:
            span = (drill.broken_s, drill.broken_s + seconds)
            _draw_bracket(above, -row, span, limit_s, name, seconds)
    draw_success_rate(below, drill.sessions)
    _name_phases(below, phases, limit_s)
    below.set(xlabel="seconds since the drill began")
    alt = (
        f"The steps of the drill as bars on a time axis, above the success rate of the traffic. "
        f"{title}. {'; '.join(facts)}."
    )
    return Picture(figure, facts, alt)

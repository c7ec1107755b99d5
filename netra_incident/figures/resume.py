"""A reconnect in mid-run: what one tab got of a user's events, beside the tab that stayed."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from netra_incident.figures.style import (
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
    plural,
)
from netra_incident.measuring.interruption import Interruption
from netra_incident.measuring.load import Received

LABELS = 1.5
"""Inches to the right of the axes, for the names of the two tabs and of the marks."""


def _ms(received: Sequence[Received], start: float) -> list[float]:
    return [(one.at - start) * 1000 for one in received]


def _facts(seen: Interruption) -> list[str]:
    return [
        f"events sent: {len(seen.witness)}; received: {len(seen.interrupted)}",
        f"received before the cut: {seen.before_cut}",
        f"reconnects: {seen.reconnects}",
        f"the same messages, once each and in order: {'yes' if seen.identical else 'no'}",
        f"runs proven by count and digest: {seen.proven} of {seen.runs}",
    ]


def _title(seen: Interruption) -> str:
    if seen.identical and seen.proven == seen.runs:
        return "Cut off in mid-run, and not one event lost or doubled"
    missing = len(seen.witness) - len(seen.interrupted)
    return f"Cut off in mid-run: {plural(abs(missing), 'event')} {'lost' if missing > 0 else 'off'}"


def _draw_tabs(area: Axes, seen: Interruption, end: float) -> None:
    numbers = range(1, len(seen.witness) + 1)
    area.step(
        [0, *_ms(seen.witness, 0), end],
        [0, *numbers, len(seen.witness)],
        where="post",
        color=FAINT,
        linewidth=5,
        solid_capstyle="butt",
        zorder=1,
    )
    times = _ms(seen.interrupted, 0)
    before = seen.before_cut
    cut = seen.cut_at * 1000
    area.step(
        [0, *times[:before], cut],
        [0, *range(1, before + 1), before],
        where="post",
        color=WORKS,
        linewidth=1.2,
        zorder=2,
    )
    area.step(
        [*times[before:], end],
        [*range(before + 1, len(times) + 1), len(times)],
        where="post",
        color=WORKS,
        linewidth=1.2,
        zorder=2,
    )
    for number, (at, one) in enumerate(zip(times, seen.interrupted, strict=True), 1):
        kind = one.event.__struct_config__.tag
        area.plot(at, number, MARKERS[str(kind)], color=WORKS, markersize=4.5, zorder=3)


def _draw_gap(area: Axes, seen: Interruption) -> None:
    cut, resumed, before = seen.cut_at * 1000, seen.resumed_at * 1000, seen.before_cut
    area.plot((cut, resumed), (before, before), ":", color=BROKEN, linewidth=1.5, zorder=2)
    area.plot(cut, before, "x", color=BROKEN, markersize=9, markeredgewidth=3, zorder=4)
    area.annotate(
        f"cut off after event {before},\nwhile a tool works",
        (cut, before),
        xytext=(8, -5),
        textcoords="offset points",
        va="top",
        color=BROKEN,
        weight="bold",
    )
    late = resumed > 0.8 * area.get_xlim()[1]
    area.annotate(
        f"resumes after event {before}",
        (resumed, before),
        xytext=(-8 if late else 8, -31),
        textcoords="offset points",
        ha="right" if late else "left",
        va="top",
        color=WORKS,
        weight="bold",
    )


def _name(area: Axes, n: int) -> None:
    beside = area.get_yaxis_transform()
    inch = 1 / (area.get_position().width * WIDTH)
    area.text(1 + 0.1 * inch, n, "what was sent:", color=QUIET, va="bottom", transform=beside)
    area.text(1 + 0.1 * inch, n, "the tab that stayed", color=QUIET, va="top", transform=beside)
    for index, (kind, marker) in enumerate(MARKERS.items()):
        y = n * (0.78 - 0.1 * index)
        area.plot(
            1 + 0.18 * inch,
            y,
            marker,
            color=WORKS,
            markersize=5.5,
            transform=beside,
            clip_on=False,
        )
        area.text(1 + 0.3 * inch, y, kind, color=WORKS, va="center", transform=beside)


@look()
def resume(seen: Interruption) -> Picture:
    """Draw how many events each of two tabs had, over time, the cut and the resume between.

    The thick line is the tab that stayed, the marks are what the other one received.
    """
    n = len(seen.witness)
    title = _title(seen)
    facts = _facts(seen)
    figure, top = canvas(
        title,
        f"events of one user received, loopback; n = {seen.runs} runs, {n} events; "
        f"{seen.proven} of {seen.runs} runs proven by count and digest",
    )
    area = axes(figure, 0.5, 0.55, WIDTH - MARGIN - LABELS, top - 0.2)
    last = [received[-1].at for received in (seen.witness, seen.interrupted) if received]
    end = 1.03 * 1000 * max(last, default=0.001)
    area.set(xlim=(0, end), ylim=(0, n + 0.6), xlabel="milliseconds since the first question")
    _draw_tabs(area, seen, end)
    _draw_gap(area, seen)
    _name(area, n)
    area.set_yticks(range(0, n + 1, 5))
    area.tick_params(axis="y", labelcolor=INK)
    alt = (
        "Two staircases of events received over time. One rises without a break; the other stops "
        "at a cross, is flat while there is no connection, and then catches up with the first. "
        f"{title}. {'; '.join(facts)}."
    )
    return Picture(figure, facts, alt)

"""The figure: what each server spends, a panel for each measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from benchmarks.results import Results, middle, ratios
from benchmarks.servers import DEFAULT, OURS, PROGRAMS, Program
from netra_incident.figures.style import (
    FAINT,
    INK,
    MARGIN,
    QUIET,
    WIDTH,
    WORKS,
    Picture,
    axes,
    canvas,
    look,
)

COLUMNS = 3
NAMES = 1.36
"""The width of the column with the names of the servers."""

GAP = 0.22
PANEL_HEIGHT = 1.3
HEADING = 0.46
"""The height above a panel for its two lines."""

ROOM = 2.05
"""How far an axis goes beyond the longest bar, for the two figures at its end."""


class Panel(NamedTuple):
    """What is drawn in a panel: a measure of a scenario over `unit`."""

    title: str
    subtitle: str
    scenario: str
    measure: str
    unit: float = 1.0


PANELS = (
    Panel("Five to a request", "µs per event, 50 × 1", "50x1", "us"),
    Panel("Under pressure", "µs per event, 500 × 8", "500x8", "us"),
    Panel("Each event alone", "µs per event, 1 ms apart", "alone", "us"),
    Panel("Latency, p99", "ms at 5,000 events/s", "paced", "p99_us", 1000),
    Panel("Handshake", "µs, with a new token", "handshakes", "new_us"),
    Panel("Idle connection", "KiB", "memory", "bytes", 1024),
)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _series(results: Results, panel: Panel, program: Program) -> list[float]:
    series = results.series(panel.scenario, program.name, panel.measure)
    return [value / panel.unit for value in series]


def _multiple(results: Results, panel: Panel, program: Program) -> float:
    """Return the median of the rounds' ratios to ours."""
    return middle(ratios(_series(results, panel, program), _series(results, panel, OURS)))


def _color(program: Program) -> str:
    return WORKS if program is OURS else INK


def _weight(program: Program) -> str:
    return "bold" if program is OURS else "normal"


def _bars(area: Axes, results: Results, panel: Panel) -> None:
    longest = 0.0
    for row, program in enumerate(reversed(PROGRAMS)):
        series = _series(results, panel, program)
        value, low, high = middle(series), min(series), max(series)
        longest = max(longest, high)
        ours = program is OURS
        area.barh(row, value, height=0.62, color=WORKS if ours else FAINT, zorder=1)
        if high > low:
            area.plot((low, high), (row, row), color=INK, linewidth=1, zorder=2)
            area.plot((low, high), (row, row), "|", color=INK, markersize=5, zorder=2)
        area.annotate(
            _number(value),
            (high, row),
            xytext=(5, -0.5),
            textcoords="offset points",
            va="center",
            color=_color(program),
            weight=_weight(program),
        )
        if not ours:
            area.annotate(
                f"{_multiple(results, panel, program):.1f} ×",
                (1, row),
                xycoords=area.get_yaxis_transform(),
                ha="right",
                va="center",
                color=QUIET,
            )
    area.set(xlim=(0, longest * ROOM), ylim=(-0.5, len(PROGRAMS) - 0.5), xticks=[], yticks=[])
    area.spines["bottom"].set_visible(False)
    area.axvline(0, color=QUIET, linewidth=1, zorder=3)


def _names(area: Axes) -> None:
    for row, program in enumerate(reversed(PROGRAMS)):
        area.text(
            1,
            row,
            program.title,
            ha="right",
            va="center",
            color=_color(program),
            weight=_weight(program),
        )
    area.set(xlim=(0, 1.05), ylim=(-0.5, len(PROGRAMS) - 0.5))
    area.axis("off")


def _title(results: Results, shown: Sequence[Panel]) -> str:
    first = shown[0]
    ours, default = (middle(_series(results, first, one)) for one in (OURS, DEFAULT))
    if first is PANELS[0]:
        return (
            f"An event costs netra_ws {_number(ours)} µs of its core, FastAPI {_number(default)} µs"
        )
    return f"{first.title}: netra_ws {_number(ours)}, FastAPI {_number(default)}"


def panels(results: Results) -> list[Panel]:
    """Return the panels of which something was measured."""
    measured = {sample.scenario for sample in results.samples}
    return [panel for panel in PANELS if panel.scenario in measured]


@look()
def speed(results: Results) -> Picture:
    """Draw what was measured: a bar is a median, the line on it goes from the least to the most.

    Raises `ValueError` if nothing was measured that is drawn.
    """
    shown = panels(results)
    if not shown:
        raise ValueError("nothing was measured that this figure shows")
    lines = -(-len(shown) // COLUMNS)
    title = _title(results, shown)
    figure, top = canvas(
        title,
        "server processor time, latency and memory: less is better; × is the ratio to netra_ws. "
        f"Median and range, n = {results.rounds}, one core each, loopback, "
        f"{results.machine.python}",
        below=lines * (HEADING + PANEL_HEIGHT) + MARGIN,
    )
    width = (WIDTH - MARGIN - NAMES - COLUMNS * GAP) / COLUMNS
    for at, panel in enumerate(shown):
        line, column = divmod(at, COLUMNS)
        upper = top - line * (HEADING + PANEL_HEIGHT) - HEADING
        lower = upper - PANEL_HEIGHT + 0.06
        if column == 0:
            _names(axes(figure, MARGIN, lower, NAMES, upper))
        left = NAMES + column * (width + GAP) + 0.08
        area = axes(figure, left, lower, left + width, upper)
        _bars(area, results, panel)
        for text, lift, weight, color in (
            (panel.title, 17, "bold", INK),
            (panel.subtitle, 4, "normal", QUIET),
        ):
            area.annotate(
                text,
                (0, 1),
                xycoords="axes fraction",
                xytext=(0, lift),
                textcoords="offset points",
                va="bottom",
                weight=weight,
                color=color,
            )
    facts = [
        f"{panel.title}: FastAPI {_multiple(results, panel, DEFAULT):.2f} × netra_ws"
        for panel in shown
    ]
    alt = f"Bars for five servers in {len(shown)} panels. {title}. {'; '.join(facts)}."
    return Picture(figure, facts, alt)

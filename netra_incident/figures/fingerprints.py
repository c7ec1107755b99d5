"""Failure fingerprints: what each way to fail shows from outside and in the log."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from matplotlib.axes import Axes

from netra_incident.figures.style import (
    BROKEN,
    FAINT,
    INK,
    MARGIN,
    QUIET,
    WIDTH,
    WORKS,
    Picture,
    canvas,
    drawing,
    look,
)
from netra_incident.measuring.fingerprint import NOTHING, Fingerprint
from netra_ws.events import EVENT_TYPES

ROW = 0.52
"""Inches from one failure to the next: room for three lines of its log."""

HEAD, FOOT = 0.42, 0.1

COLUMNS = {
    "failure": MARGIN,
    "handshake": 1.6,
    "close code": 2.42,
    "events": 3.2,
    "endpoints": 3.85,
    "words in one line of the log": 4.75,
}
"""Where each column begins, in inches."""

LOG_CHARACTERS = 30


def _endpoints(area: Axes, y: float, statuses: Mapping[str, int]) -> None:
    left = COLUMNS["endpoints"]
    for number, status in enumerate(statuses.values()):
        works = status == 200
        area.plot(
            left + 0.07 + 0.22 * number,
            y + 0.06,
            "o" if works else "X",
            color=WORKS if works else BROKEN,
            markersize=7,
        )
    codes = sorted(set(statuses.values()))
    area.text(left, y - 0.11, " and ".join(map(str, codes)), color=QUIET, va="center")


def _draw(area: Axes, y: float, name: str, found: Fingerprint) -> None:
    let_in = found.handshake == 101
    normal = found.close_code == 1000
    area.text(COLUMNS["failure"], y, name, color=INK, weight="bold", va="center")
    cells = (
        ("handshake", str(found.handshake), WORKS if let_in else BROKEN),
        ("close code", str(found.close_code), WORKS if normal else BROKEN),
        ("events", f"{found.events} of {len(EVENT_TYPES)}", WORKS if found.events else BROKEN),
    )
    for column, text, color in cells:
        area.text(COLUMNS[column], y, text, color=color, weight="bold", va="center")
    _endpoints(area, y, found.endpoints)
    # A path may be broken after each of its slashes.
    log = textwrap.fill(found.log_words.replace("/", "/ "), LOG_CHARACTERS).replace("/ ", "/")
    left = COLUMNS["words in one line of the log"]
    shade = QUIET if found.log_words == NOTHING else INK
    area.text(left, y, log, color=shade, va="center", linespacing=1.1)


def _fact(name: str, found: Fingerprint) -> str:
    statuses = ", ".join(map(str, found.endpoints.values()))
    return (
        f"{name}: handshake {found.handshake}, close {found.close_code}, {found.events} events, "
        f"endpoints {statuses}, log: {found.log_words}"
    )


@look()
def fingerprints(failures: Mapping[str, Fingerprint]) -> Picture:
    """Draw what was measured of each failure, by its name, one row each.

    Raises `ValueError` if there are none.
    """
    if not failures:
        raise ValueError("expected at least one failure, got none")
    let_in = sum(found.handshake == 101 for found in failures.values())
    apart = len({found.columns for found in failures.values()}) == len(failures)
    what = "the rest tells them apart" if apart else "some look the same"
    number = "every" if let_in == len(failures) else f"{let_in} of {len(failures)}"
    title = f"{number.capitalize()} failure lets the client in; {what}"
    figure, top = canvas(
        title,
        f"{len(failures)} ways to fail, each made on a real server: one session, one request to "
        "health, configuration and statistics; n = 1 each",
        HEAD + ROW * len(failures) + FOOT,
    )
    area = drawing(figure)
    for heading, left in COLUMNS.items():
        area.text(left, top - 0.2, heading, color=QUIET, va="center")
    area.plot((MARGIN, WIDTH - MARGIN), (top - 0.34,) * 2, color=FAINT, linewidth=1)
    for row, (name, found) in enumerate(failures.items()):
        _draw(area, top - HEAD - ROW * (row + 0.5), name, found)
    facts = [_fact(name, found) for name, found in failures.items()]
    facts.append(f"told apart: {'yes' if apart else 'no'}")
    alt = f"A table with a row for each failure. {title}. {'; '.join(facts)}."
    return Picture(figure, facts, alt)

"""The look that all figures share, and `Picture`, which a notebook can show and a test compare.

Colour says whether something works, shape and text say it again, so that a print in grey loses
nothing. Lengths are inches, because text does not scale with the axes.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netra_ws.events import EVENT_TYPES

WORKS = "#0072B2"
BROKEN = "#D55E00"
INK = "#1A1A1A"
QUIET = "#595959"
FAINT = "#C4C4C4"

WIDTH = 7.0
HEIGHT = 3.5
MARGIN = 0.15
DPI = 150

TEXT = 9.0
TITLE = 12.0
CHARACTER = 0.078
"""The width to allow for each character of a short name."""

MONOSPACE = "DejaVu Sans Mono"
MONOSPACE_ADVANCE = 0.602
"""The width of each character of `MONOSPACE`, in units of its size."""

MARKERS = dict(zip(EVENT_TYPES, ("o", "^", "s", "D", "P"), strict=True))
"""The shape of each type of event."""

_LOOK = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": TEXT,
    "hatch.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": QUIET,
    "xtick.labelsize": TEXT,
    "ytick.color": QUIET,
    "ytick.labelsize": TEXT,
    "ytick.major.size": 0,
}


@contextmanager
def look() -> Iterator[None]:
    """Draw in the house style, whatever style the caller has set; also a decorator."""
    with style.context(["default", _LOOK]):
        yield


class Picture:
    """A figure with the facts that it shows, and a text for those who cannot see it.

    Notebooks compare `facts` from run to run and ignore the pixels. So `facts` and `alt` hold
    counts, orders and booleans, and never a time, a port or a hash.
    """

    def __init__(self, figure: Figure, facts: Sequence[str], alt: str) -> None:
        self.figure = figure
        self.facts = tuple(facts)
        self.alt = alt

    def __repr__(self) -> str:
        """Give the facts, one a line."""
        return "\n".join(self.facts)

    @property
    def title(self) -> str:
        """The finding, which `canvas` writes first; empty in a figure without any text."""
        return " ".join(text.get_text() for text in self.figure.texts[:1]).replace("\n", " ")

    @cached_property
    def png(self) -> bytes:
        """The figure as PNG, drawn once."""
        buffer = BytesIO()
        with look():
            # Without the version of matplotlib, so that the bytes depend on the data alone.
            self.figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()

    def save(self, path: Path | str) -> None:
        """Write the PNG to `path`."""
        Path(path).write_bytes(self.png)

    def _repr_mimebundle_(
        self,
        include: object = None,  # noqa: ARG002 - both may be ignored, by the protocol
        exclude: object = None,  # noqa: ARG002
    ) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """Give a notebook the PNG with its alt text, and the facts."""
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": repr(self)}
        return data, {"image/png": {"alt": self.alt, "title": self.title}}


def percent(share: float, decimals: int = 0) -> str:
    """Return a share of 1 as a percentage."""
    return f"{share * 100:.{decimals}f} %"


def plural(n: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def short(name: str, room: int = 14) -> str:
    """Return a name that fits beside a lane or a row."""
    return name if len(name) <= room else f"{name[: room - 1]}…"


def canvas(title: str, subtitle: str, below: float | None = None) -> tuple[Figure, float]:
    """Return a figure headed by its finding and its measure, and the height left below them.

    The figure has the usual height, or else grows to leave the height `below`.
    """
    headings = (
        (textwrap.fill(title, 60, break_on_hyphens=False), TITLE, "bold", INK),
        (textwrap.fill(subtitle, 100), TEXT, "normal", QUIET),
    )
    heights = [(text.count("\n") + 1) * size * 1.3 / 72 + 0.04 for text, size, _, _ in headings]
    height = HEIGHT if below is None else below + sum(heights) + MARGIN
    figure = Figure(figsize=(WIDTH, height))
    y = height - MARGIN
    for (text, size, weight, color), used in zip(headings, heights, strict=True):
        figure.text(
            MARGIN / WIDTH,
            y / height,
            text,
            size=size,
            weight=weight,
            color=color,
            va="top",
            linespacing=1.25,
        )
        y -= used
    return figure, y


def axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Return axes between four lengths, all measured from the lower left corner."""
    width, height = figure.get_size_inches()
    return figure.add_axes(
        (left / width, bottom / height, (right - left) / width, (top - bottom) / height)
    )


def drawing(figure: Figure) -> Axes:
    """Return axes over the whole figure, in inches and without any axis, to draw freely."""
    width, height = figure.get_size_inches()
    area = axes(figure, 0, 0, width, height)
    area.set(xlim=(0, width), ylim=(0, height))
    area.axis("off")
    return area

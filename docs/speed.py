"""What the last complete `make bench` measured."""

from __future__ import annotations

from benchmarks import figure
from benchmarks.publish import RESULTS
from benchmarks.results import read
from benchmarks.table import markdown
from docs.image import Image


def speed() -> Image:
    """Return the figure of the servers."""
    picture = figure.speed(read(RESULTS))
    return Image(picture.alt, picture.png)


def ratios() -> str:
    """Return the tables of the ratios and of what each server has cost."""
    return markdown(read(RESULTS))

"""Where results are shown: the file of record, the table in the README, the figure."""

from __future__ import annotations

import textwrap
from pathlib import Path

from benchmarks import results as records
from benchmarks.results import Results
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import ROOT
from benchmarks.table import markdown
from netra_ws.errors import ConfigurationError

RESULTS = ROOT / "benchmarks" / "results.json"
README = ROOT / "README.md"
FIGURE = ROOT / "docs" / "speed.png"

BEGIN = "<!-- make bench writes from here -->"
END = "<!-- to here -->"


ROUNDS = 5
"""The fewest that say something about the spread."""


def is_complete(results: Results) -> bool:
    """Whether everything was measured, often enough to be shown."""
    measured = {(sample.scenario, sample.round) for sample in results.samples}
    return results.rounds >= ROUNDS and all(
        (scenario.name, number) in measured
        for scenario in SCENARIOS
        for number in range(1, results.rounds + 1)
    )


def readme(results: Results) -> str:
    """Return what stands between the two markers of the README."""
    from benchmarks.figure import speed

    alt = textwrap.fill(f"![{speed(results).alt}]", 96)
    return f"\n\n{alt}({FIGURE.relative_to(ROOT).as_posix()})\n\n{markdown(results)}\n\n"


def section(text: str) -> tuple[str, str, str]:
    """Return what stands before, between and after the two markers.

    Raises `ConfigurationError` unless each is there once, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise ConfigurationError(f"README.md: expected {BEGIN} and then {END}, once each")
    return before, inside, after


def publish(results: Results) -> None:
    """Make `results` those that the project shows."""
    from benchmarks.figure import panels, speed

    if not panels(results):
        raise ConfigurationError("nothing was measured that the figure shows; measure 50x1, too")
    before, _, after = section(README.read_text(encoding="utf-8"))
    records.write(results, RESULTS)
    results = records.read(RESULTS)  # as whoever reads the file: its figures are rounded
    README.write_text(f"{before}{BEGIN}{readme(results)}{END}{after}", encoding="utf-8")
    speed(results).save(FIGURE)


def save(results: Results, path: Path) -> list[Path]:
    """Write the results to `path` and their figure beside it; returns what was written.

    There is no figure of results of which it would show nothing.
    """
    from benchmarks.figure import panels, speed

    records.write(results, path)
    if not panels(results):
        return [path]
    picture = path.with_suffix(".png")
    speed(results).save(picture)
    return [path, picture]

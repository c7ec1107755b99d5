"""Where results are kept: the file of record, and any other with its figure."""

from __future__ import annotations

from pathlib import Path

from benchmarks import results as records
from benchmarks.results import Results
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import ROOT
from netra_ws.errors import ConfigurationError

RESULTS = ROOT / "benchmarks" / "results.json"

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


def publish(results: Results) -> None:
    """Make `results` those that the project shows.

    Raises `ConfigurationError` for results of which its figure would show nothing.
    """
    from benchmarks.figure import panels

    if not panels(results):
        raise ConfigurationError("nothing was measured that the figure shows; measure 50x1, too")
    records.write(results, RESULTS)


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

"""What a benchmark measured, as it is kept: every value of every round."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from benchmarks.machine import cpu_model, libraries
from benchmarks.scenarios import Values
from netra_ws.errors import ConfigurationError


class Machine(Struct, frozen=True):
    """Where it was measured, and with what."""

    python: str
    cpu: str
    cores: int
    system: str
    libraries: dict[str, str]


class Sample(Struct, frozen=True):
    """What one scenario measured in one round, which is counted from 1."""

    scenario: str
    round: int
    values: Values


class Results(Struct, frozen=True):
    """A benchmark. `date` is the day on which it began, in UTC."""

    date: str
    rounds: int
    machine: Machine
    samples: list[Sample]

    def series(self, scenario: str, server: str, measure: str) -> list[float]:
        """Return a measure of a server, round by round; empty if it was not measured."""
        samples = sorted(
            (one for one in self.samples if one.scenario == scenario), key=lambda one: one.round
        )
        return [one.values[server][measure] for one in samples if server in one.values]


def begin(rounds: int, cores: int) -> Results:
    """Return results of this machine, without a sample."""
    system = f"{platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = Machine(python, cpu_model(), cores, system, libraries())
    return Results(datetime.now(UTC).date().isoformat(), rounds, machine, [])


def read(path: Path) -> Results:
    """Return the results in a file; raises `ConfigurationError` if there are none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except OSError as error:
        raise ConfigurationError(f"results {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"results {path}: {error}; expected a file that this benchmark wrote"
        raise ConfigurationError(msg) from error


def write(results: Results, path: Path) -> None:
    """Write the results, a line for each sample and server, so that two runs can be compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(_rounded(results), indent=1) + b"\n")


def _rounded(results: Results) -> bytes:
    """Return the results as JSON, with as many digits as mean something."""
    samples = [
        Sample(
            one.scenario,
            one.round,
            {
                server: {name: float(f"{value:.6g}") for name, value in values.items()}
                for server, values in one.values.items()
            },
        )
        for one in results.samples
    ]
    return msgspec.json.encode(msgspec.structs.replace(results, samples=samples))


def ratios(top: Sequence[float], bottom: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [above / below for above, below in zip(top, bottom, strict=True)]


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return float(median(values))

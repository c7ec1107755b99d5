"""The results in words: the verdicts, and what each server has cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.results import Results, middle, ratios
from benchmarks.scenarios import GROWN
from benchmarks.servers import BEFORE, OURS, PROGRAMS, Program
from benchmarks.verdicts import Verdict, judge
from netra_incident.table import Table


class Measure(NamedTuple):
    """A row of the table of servers: what is shown is the measure over `unit`."""

    title: str
    scenario: str
    measure: str
    unit: float = 1.0
    digits: int = 1


MEASURES = (
    Measure("µs per event, 50 × 1", "50x1", "us"),
    Measure("µs per event, 500 × 8", "500x8", "us"),
    Measure("µs per event, each alone", "alone", "us"),
    Measure("p50 at 5,000 events/s, µs", "paced", "p50_us", digits=0),
    Measure("p99 at 5,000 events/s, µs", "paced", "p99_us", digits=0),
    Measure("µs per handshake, token seen before", "handshakes", "seen_us", digits=0),
    Measure("µs per handshake, token new", "handshakes", "new_us", digits=0),
    Measure("KiB per idle connection", "memory", "bytes", 1024),
    Measure("KiB per idle connection, deflate offered", "memory-deflate", "bytes", 1024),
)

CLOSED = ("50x1", "500x8", "alone", "growth")
"""The scenarios in which the client asks as fast as it can: it must not be the limit."""

Rows = list[tuple[str, ...]]


def verdict_rows(verdicts: Sequence[Verdict]) -> Rows:
    """Return a row of cells for each verdict."""
    rows: Rows = []
    for verdict in verdicts:
        target = verdict.target
        sign = "≥" if target.at_least else "≤"
        low, high = min(verdict.ratios), max(verdict.ratios)
        rows.append(
            (
                target.title,
                f"{verdict.ratio:.2f}",
                f"{low:.2f}-{high:.2f}",
                f"{len(verdict.ratios)}",
                f"{sign} {target.must:g}",
                f"{target.aim:g}",
                verdict.word,
            )
        )
    return rows


VERDICT_HEADS = ("", "median", "spread", "n", "must", "aim", "")


def _cell(series: Sequence[float], unit: float, digits: int) -> str:
    if not series:
        return ""
    scaled = [value / unit for value in series]
    low, high = min(scaled), max(scaled)
    return f"{middle(scaled):.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def servers(results: Results) -> list[Program]:
    """Return what was measured: ours, the commit before if there was one, and the rivals."""
    has_before = any(BEFORE.name in sample.values for sample in results.samples)
    return [OURS, *[BEFORE][: 1 if has_before else 0], *PROGRAMS[1:]]


def server_heads(results: Results) -> tuple[str, ...]:
    """Return the heads of the table of servers."""
    return ("", *(program.title for program in servers(results)))


def server_rows(results: Results) -> Rows:
    """Return a row of cells for each measure, a column for each server."""
    measured = {sample.scenario for sample in results.samples}
    rows: Rows = []
    for title, scenario, measure, unit, digits in MEASURES:
        if scenario in measured:
            cells = (results.series(scenario, one.name, measure) for one in servers(results))
            rows.append((title, *(_cell(series, unit, digits) for series in cells)))
    if "growth" in measured:
        rows.append(
            (
                "× per event, 10 → 10,000 users",
                *(_growth(results, one.name) for one in servers(results)),
            )
        )
    if measured.intersection(CLOSED):
        shares = (client_share(results, one.name) for one in servers(results))
        rows.append(("client's core, busy at most", *(f"{share:.0%}" for share in shares)))
    return rows


def _growth(results: Results, name: str) -> str:
    many = results.series("growth", name + GROWN, "us")
    return _cell(ratios(many, results.series("growth", name, "us")), 1, 2)


def client_share(results: Results, server: str | None = None) -> float:
    """Return the largest share of its core that the client used in a closed loop."""
    return max(
        (
            values["client_share"]
            for sample in results.samples
            if sample.scenario in CLOSED
            for name, values in sample.values.items()
            if server in {None, name, name.removesuffix(GROWN)}
        ),
        default=0.0,
    )


def conditions(results: Results) -> str:
    """Return where it was measured, and with what, in a sentence or two."""
    machine = results.machine
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    return (
        f"{machine.python}, {machine.cpu}, {machine.cores} cores, {machine.system}, loopback; "
        f"{libraries}. Measured on {results.date}; median and spread (least-most) of "
        f"{results.rounds} round{'s'[: results.rounds != 1]}."
    )


def markdown(results: Results) -> str:
    """Return the results as the documentation shows them."""
    return "\n\n".join(
        (
            Table(VERDICT_HEADS, verdict_rows(judge(results))).markdown(),
            "What each server has cost, of its core's time:",
            Table(server_heads(results), server_rows(results)).markdown(),
            conditions(results),
        )
    )

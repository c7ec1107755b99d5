"""The command line of the benchmark."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import results as records
from benchmarks.publish import RESULTS, ROUNDS, is_complete, publish, save
from benchmarks.results import Results
from benchmarks.rounds import benchmark
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import ROOT, put_commit
from benchmarks.table import (
    VERDICT_HEADS,
    Rows,
    client_share,
    conditions,
    server_heads,
    server_rows,
    verdict_rows,
)
from benchmarks.verdicts import judge

OUTPUT = Path("build/benchmarks/results.json")
BUSY = 0.9
"""The share of its core above which the client is the limit."""


@click.command("benchmarks", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=click.IntRange(1, 100), default=ROUNDS, show_default=True)
@click.option(
    "--scenario",
    "names",
    multiple=True,
    type=click.Choice([scenario.name for scenario in SCENARIOS]),
    help="Only this one; may be given several times.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=OUTPUT,
    show_default=True,
    help="Where the results go; their figure is put beside them.",
)
@click.option(
    "--before",
    metavar="COMMIT",
    help="Measure the netra_ws of this commit, too, and judge ours by it.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Measure nothing: show the results in this file.",
)
@click.option(
    "--publish/--no-publish",
    "shown",
    default=None,
    help="Renew benchmarks/results.json, which `make docs` shows.  [default: after all scenarios "
    f"in {ROUNDS} rounds or more]",
)
def command(
    rounds: int,
    names: Sequence[str],
    output: Path,
    before: str | None,
    source: Path | None,
    shown: bool | None,
) -> None:
    """Measure netra_ws beside what else a team would pick, and say whether it is fast enough.

    Each server runs on a core of its own, the client on another. Takes about fifteen minutes on an
    idle machine; what else runs on it shows as spread.

    \b
    Examples:
      python -m benchmarks
      python -m benchmarks --rounds 1 --scenario 50x1 --scenario 500x8
      python -m benchmarks --rounds 7 --before HEAD~1
      python -m benchmarks --from benchmarks/results.json --publish

    \b
    Exit codes:
      0    everything that was measured reaches what it must
      1    something does not
      2    it could not be measured as asked
      130  interrupted
    """
    if source is None:
        chosen = [one for one in SCENARIOS if not names or one.name in names]
        with tempfile.TemporaryDirectory(prefix="netra-ws-bench-") as folder:
            if before is not None:
                put_commit(before, Path(folder))
                chosen = [one.beside(folder) for one in chosen]
            results = _measure(chosen, rounds)
        click.echo(f"wrote: {', '.join(map(str, save(results, output)))}", err=True)
        if shown is None:
            shown = is_complete(results)
    elif names or before:
        raise click.UsageError("--from and --scenario or --before exclude each other")
    else:
        results = records.read(source)
    if shown:
        publish(results)
        click.echo(f"renewed: {RESULTS.relative_to(ROOT)}; make docs shows it", err=True)
    _show(results)
    if not all(verdict.reached for verdict in judge(results)):
        sys.exit(1)


def _measure(scenarios: Sequence[Scenario], rounds: int) -> Results:
    """Measure, with a bar on a terminal and a line for each step elsewhere."""
    console = Console(stderr=True)
    began = time.monotonic()
    # Without the thread that draws it anew: that would work on the client's core.
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        auto_refresh=False,
        disable=not console.is_terminal,
    )
    with progress:
        steps = progress.add_task("", total=rounds * len(scenarios))

        def step(number: int, scenario: Scenario) -> None:
            done = (number - 1) * len(scenarios) + scenarios.index(scenario)
            text = f"round {number} of {rounds}: {scenario.title}"
            progress.update(steps, completed=done, description=text, refresh=True)
            if not console.is_terminal:
                click.echo(f"{time.monotonic() - began:4.0f} s  {text}", err=True)

        results = benchmark(scenarios, rounds, step)
        progress.update(steps, completed=rounds * len(scenarios), refresh=True)
    return results


def _show(results: Results) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    _print(console, "paired ratios", VERDICT_HEADS, verdict_rows(judge(results)))
    _print(console, "each server", server_heads(results), server_rows(results))
    console.print(conditions(results))
    if results.rounds < ROUNDS:
        console.print(f"Fewer than {ROUNDS} rounds: the verdicts say little.", style="bold")
    share = client_share(results)
    if share:
        words = "of its core at most while it asked without pause"
        console.print(f"The client used {share:.0%} {words}.")
    if share > BUSY:
        console.print("It was the limit there: a server may be faster than it looks.", style="bold")


def _print(console: Console, title: str, heads: Sequence[str], rows: Rows) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row, style="bold red" if row[-1] == "MISSED" else None)
    console.print(table)
    console.print()

"""``netra-ws drill``: the emergency rollback, rehearsed and timed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from netra_incident.cli.options import FOLDER, MARKS, case_option, chosen_case
from netra_ws.serving.command_line import INTERRUPTED

if TYPE_CHECKING:
    from netra_incident.drill import Drill, Step


@click.command("drill", short_help="Rehearse the emergency rollback, timed.")
@click.option("--json", "as_json", is_flag=True, help="Print the journal as JSON instead of lines.")
@click.option(
    "--project",
    type=FOLDER,
    default=Path(),
    metavar="DIR",
    help="A checkout of the project, for its tests.  [default: this folder]",
)
@case_option
def drill_command(as_json: bool, project: Path, case: str | None) -> None:
    """Take the fix back on a running deployment, notice, and put it back.

    The deployment is a local staging of a scratch copy of the history. Three users go on having
    sessions with it all the time.

    \b
    steady state  sessions complete, health, configuration and statistics answer 200
    revert        git revert of the fix
    redeploy      replace the backend; the login service goes on
    detect        wait for the first session that does not complete
    validate      run the reproduction tests: they must fail again, each for its reason
    investigate   compare the failures with those on buggy, and name what is new
    reapply       git revert of the revert, or else git reset --hard to the fix
    redeploy      replace the backend again
    verify        the steady state, again

    The last three are carried out whatever happens, at Ctrl-C as well; a second Ctrl-C ends at
    once. The time to detect is from the reverted backend listening to the end of the first
    session that does not complete, the time to recover to the end of the first that does again.
    The journal has the form of Chaos Toolkit's.

    \b
    Examples:
      netra-ws drill
      netra-ws drill --json > journal.json

    \b
    Exit codes:
      0  the drill went as planned
      1  a step failed or could not be tried, or something failed that does not fail on buggy
      2  it cannot be carried out as asked: no git, no pytest, or no tests in DIR
      130  interrupted; the rollbacks were carried out
    """
    from netra_incident.drill import Rehearsal

    console = Console(soft_wrap=True, highlight=False, quiet=as_json)
    with _progress(console) as show:
        rehearsal = Rehearsal(chosen_case(case), project, progress=show)
        try:
            drill = asyncio.run(rehearsal.run())
        except KeyboardInterrupt:
            drill = rehearsal.drill
    if as_json:
        click.echo(json.dumps(drill.journal(), indent=2, ensure_ascii=False))
    for line in _summary(drill):
        console.print(Text(line))
    sys.exit(INTERRUPTED if drill.interrupted else int(drill.deviated))


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Step], None]]:
    """Print a line for each step on `console`; standard error shows which one is going on."""
    stderr = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=stderr, transient=True, disable=not stderr.is_terminal
    ) as progress:
        task = progress.add_task("deploy: a local staging with the fix", total=None)

        def show(step: Step) -> None:
            if step.end_s is None:
                progress.reset(task, description=f"{step.name}: {step.what}")
                return
            progress.stop()  # both may be the same terminal
            console.print(_line(step))
            progress.update(task, description="end: the servers stop")  # until a step begins
            progress.start()

        yield show


def _line(step: Step) -> Text:
    mark, style = MARKS[step.ok]
    tried = step.ok is not None
    seconds = f"{step.seconds:6.2f} s" if tried else f"{'-':>6}  "
    detail = step.detail if tried else f"not tried: {step.detail}"
    return Text.assemble((f"{mark:6}", style), f" {seconds}  {step.name:12}  {detail}")


def _summary(drill: Drill) -> Iterator[str]:
    times = {"detect": drill.time_to_detect_s, "recover": drill.time_to_recover_s}
    for name, seconds in times.items():
        yield f"time to {name:8}{'-' if seconds is None else f'{seconds:.2f} s'}"
    yield from (f"new failure: {failure}" for failure in drill.new_failures)
    if drill.investigated and not drill.new_failures:
        yield "no failure that the reproduction on buggy does not show"
    yield drill.verdict

"""``netra-ws verify``: whether the tests tell the bug from the fix."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from netra_incident.case import BROKEN, MENDED, Case
from netra_incident.cli.options import FOLDER, case_option, chosen_case
from netra_ws.errors import ConfigurationError
from netra_ws.serving.options import PathName

if TYPE_CHECKING:
    from netra_incident.proof.judgement import Judgement
    from netra_incident.proof.suite import Run, RunProgress
    from netra_incident.proof.verification import Verification


@click.command("verify", short_help="Run the incident's tests before and after the fix.")
@click.option("--tree", type=FOLDER, help="Is the netra_ws in this folder a fix?")
@click.option(
    "--partial-fixes",
    is_flag=True,
    help="Also run every incomplete fix and other injuries, and say which tests catch which.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--junitxml", type=PathName(path_type=Path, dir_okay=False), help="Write JUnit XML here."
)
@case_option
def verify_command(
    tree: Path | None,
    partial_fixes: bool,
    as_json: bool,
    junitxml: Path | None,
    case: str | None,
) -> None:
    """Run the tests of the incident on `buggy` and on `fixed`, and compare.

    Run it in a checkout of the project. Every fail-to-pass test must fail on `buggy` for the
    reason that it states, and pass on `fixed`; every pass-to-pass test must pass on both.

    \b
    Examples:
      netra-ws verify
      netra-ws verify --json --junitxml build/verify.xml
      netra-ws verify --tree build/attempt
      netra-ws verify --partial-fixes

    \b
    Exit codes:
      0  the tests tell the revisions apart; with --tree, the tree is a fix;
         with --partial-fixes, each of them is caught as well
      1  they do not; it is not; one is not caught
      2  it could not be done as asked
    """
    if tree and partial_fixes:
        raise ConfigurationError("--tree and --partial-fixes exclude each other")
    if find_spec("pytest") is None:
        msg = "pytest is not installed; in a clone of netra_ws: pip install '.[test]'"
        raise ConfigurationError(msg)
    incident = chosen_case(case)
    if junitxml is not None:
        _check_writable(junitxml)  # better said now than in a minute
    if tree is not None:
        good = _judge_tree(incident, tree, junitxml, as_json)
    else:
        good = _compare_revisions(incident, partial_fixes, junitxml, as_json)
    sys.exit(0 if good else 1)


def _judge_tree(incident: Case, tree: Path, junitxml: Path | None, as_json: bool) -> bool:
    """Run the tests on a tree, show how they came out, and say whether it is a fix."""
    from netra_incident.proof.judgement import judge

    with _progress() as progress:
        judgement = judge(incident, tree, progress=progress)
    _write(junitxml, {judgement.name: judgement.run})
    _show_judgement(judgement, as_json)
    return judgement.is_fix


def _compare_revisions(
    incident: Case, partial_fixes: bool, junitxml: Path | None, as_json: bool
) -> bool:
    """Run the tests on both revisions, and say whether they tell them and all attempts apart."""
    from netra_incident.proof.judgement import attempts, judge_attempts
    from netra_incident.proof.verification import verify

    with _progress() as progress:
        verified = verify(incident, progress=progress)
        judged = judge_attempts(attempts(incident), progress=progress) if partial_fixes else []
    runs = {BROKEN: verified.broken, MENDED: verified.mended}
    _write(junitxml, {**runs, **{item.name: item.run for item in judged}})
    if as_json:
        document = verified.as_json()
        if partial_fixes:
            document["attempts"] = [item.as_json() for item in judged]
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _show(verified)
        _show_attempts(judged)
    return not verified.problems() and all(item.caught_by for item in judged)


def _check_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without waiting for somebody who reads a pipe.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error


def _write(path: Path | None, runs: dict[str, Run]) -> None:
    from netra_incident.proof.suite import junit_xml

    if path is None:
        return
    try:
        path.write_text(junit_xml(runs), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error


def _show(verified: Verification) -> None:
    for table in (verified.before, verified.after):
        click.echo(f"{table}\n")
    click.echo("Where the plan's words differ from what is measured:")
    click.echo(repr(verified.notes))
    problems = verified.problems()
    click.echo()
    for problem in problems:
        click.echo(f"PROBLEM {problem}")
    f2p, p2p = verified.ids("fail_to_pass"), verified.ids("pass_to_pass")
    if not problems:
        click.echo(
            f"verified: {len(f2p)} fail-to-pass tests failed on buggy for their reason and pass on "
            f"fixed; {len(p2p)} pass-to-pass tests pass on both"
        )


def _show_judgement(judgement: Judgement, as_json: bool) -> None:
    run = judgement.run
    if as_json:
        click.echo(json.dumps(judgement.as_json(), indent=2, ensure_ascii=False))
    elif judgement.is_fix:
        click.echo(f"{judgement.name} is a fix: {len(run.tests)} tests pass on it")
    elif run.said:
        click.echo(f"{judgement.name} is not a fix: no test could run: {run.said}")
    else:
        failing = run.not_passed()
        n = len(run.tests)
        click.echo(f"{judgement.name} is not a fix: {len(failing)} of {n} tests do not pass")
        for site in judgement.sites:
            click.echo(f"  remains: {site}")
        for test in () if judgement.sites else failing:
            words = " ".join(test.words.split())[:200]
            click.echo(f"  {test.outcome}: {test.id}: {words}")


def _show_attempts(judged: Sequence[Judgement]) -> None:
    for item in judged:
        state = f"caught by {len(item.caught_by)} tests" if item.caught_by else "NOT CAUGHT"
        click.echo(f"{item.name}: {state}{': ' + item.run.said if item.run.said else ''}")
        for test in item.caught_by:
            click.echo(f"  {test}")
    if judged:
        caught = sum(bool(item.caught_by) for item in judged)
        click.echo(f"{caught} of {len(judged)} attempts caught")


@contextmanager
def _progress() -> Iterator[RunProgress]:
    """Show a bar for each run on standard error."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(name: str, percent: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=100)
            bars.update(tasks[name], completed=percent)

        yield advance

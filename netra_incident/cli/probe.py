"""``netra-ws probe``: the golden path of a deployment, from outside."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.text import Text

from netra_incident.cli.options import MARKS
from netra_incident.measuring.statistics import TARGET
from netra_ws.errors import ConfigurationError
from netra_ws.serving.options import PathName

if TYPE_CHECKING:
    from netra_incident.probe import ProbeResult, Step
    from netra_incident.probe.repetition import Repetition
    from netra_ws.auth.users import DemoUser


def _service_url(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    from netra_ws.wire.urls import service_url

    try:
        return service_url(value)
    except ConfigurationError as error:
        raise click.BadParameter(f"{error}.") from error


@click.command("probe", short_help="Walk the golden path of any deployment.")
@click.option(
    "--base-url",
    metavar="URL",
    envvar="STAGING_BASE_URL",
    show_envvar=True,
    required=True,
    callback=_service_url,
    help="Where the backend is.",
)
@click.option(
    "--auth-url",
    metavar="URL",
    envvar="STAGING_AUTH_URL",
    show_envvar=True,
    required=True,
    callback=_service_url,
    help="Where the login service is.",
)
@click.option(
    "--logins",
    type=PathName(path_type=Path),
    metavar="FILE",
    help='Two users as JSON, [{"email", "password"}, …], or the line that netra-ws serve prints.',
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    metavar="N",
    help="Walk the whole path N times and say what success rate that proves.",
)
@click.option(
    "--min-success",
    type=click.FloatRange(0, 1, max_open=True),
    default=TARGET,
    show_default=True,
    metavar="SHARE",
    help="With --repeat: what the lower bound of the rate's 95 % interval must be over.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def probe_command(
    context: click.Context,
    base_url: str,
    auth_url: str,
    logins: Path | None,
    repeat: int | None,
    min_success: float,
    as_json: bool,
) -> None:
    """Walk the golden path of a deployment as two of its users, and say which step fails.

    \b
    log in       both users get a token
    connect      handshake and connection_ready, within 2 s
    first event  within 5 s of the message
    five events  all five types, in an order that the grammar allows
    digest       the run's count and digest agree with what arrived
    endpoints    /ws/health, /ws/config and /ws/stats answer 200
    isolation    two users at once, each sees its own events only
    reconnect    after a dropped connection exactly the missed events arrive
    whole path   within 60 s

    A step that cannot be tried says which one it needs. The server counts the dropped connection
    of a path as one that ended with 1006.

    \b
    Examples:
      netra-ws serve > address.json &
      netra-ws probe --base-url http://127.0.0.1:8000 --auth-url http://127.0.0.1:8001 \\
        --logins address.json
      netra-ws probe --repeat 100 --json

    \b
    Environment:
      STAGING_BASE_URL, STAGING_AUTH_URL        where --base-url and --auth-url are not given
      STAGING_EMAIL, STAGING_PASSWORD           the first user, where --logins is not given
      STAGING_EMAIL_2, STAGING_PASSWORD_2       the second user

    \b
    Exit codes:
      0  every step held; with --repeat, N times, and N is enough to prove --min-success
      1  a step failed, or N is too small
      2  it could not be tried: an address or a login is missing or malformed
    """
    from netra_incident.probe import probe
    from netra_incident.probe.logins import read_logins
    from netra_incident.probe.repetition import Repetition

    if repeat is None and context.get_parameter_source("min_success") != ParameterSource.DEFAULT:
        raise click.UsageError("--min-success needs --repeat: one path proves no rate.")
    users = read_logins(file=logins)
    console = Console(soft_wrap=True, highlight=False, quiet=as_json)
    times = f"; {repeat} times, the slowest of each step" if repeat else ""
    console.print(Text(f"golden path of {base_url}, login at {auth_url}{times}"))
    outcome: ProbeResult | Repetition
    if repeat is None:
        shown = probe(base_url, auth_url, users, progress=lambda step: console.print(_line(step)))
        outcome = asyncio.run(shown)
        said = f"the golden path failed at: {', '.join(outcome.failed)}"
        console.print(Text("the golden path held" if outcome.ok else said))
    else:
        outcome = Repetition(asyncio.run(_paths(base_url, auth_url, users, repeat)), min_success)
        for line in (*map(_line, outcome.steps), Text(_rate(outcome)), Text(outcome.verdict)):
            console.print(line)
    if as_json:
        addresses = {"base_url": base_url, "auth_url": auth_url}
        click.echo(json.dumps(addresses | _document(outcome)))
    context.exit(0 if outcome.ok else 1)


async def _paths(
    base_url: str, auth_url: str, users: list[DemoUser], repeat: int
) -> list[ProbeResult]:
    """Walk the path `repeat` times, one after the other, with a bar where somebody looks on."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    from netra_incident.probe import probe

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("paths, {task.fields[failed]} failed"),
        TimeElapsedColumn(),
    )
    paths: list[ProbeResult] = []
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("golden path", total=repeat, failed=0)
        for _ in range(repeat):
            paths.append(await probe(base_url, auth_url, users))
            bar.update(task, advance=1, failed=sum(not path.ok for path in paths))
    return paths


def _line(step: Step) -> Text:
    """Return a step as a line: how it came out, its time against its limit, what was seen."""
    mark, style = MARKS[step.ok]
    seconds = "" if step.seconds is None else f"{step.seconds:.3f} s"
    limit = "" if not seconds or step.limit_s is None else f"of {step.limit_s:>2g} s"
    rest = f"  {step.name:11}  {seconds:>8} {limit:<7}  {step.detail}"
    return Text.assemble((f"{mark:6}", style), rest.rstrip())


def _rate(repetition: Repetition) -> str:
    low, high = (f"{bound * 100:.1f} %" for bound in repetition.interval)
    held = f"{repetition.successes} of {len(repetition.paths)} paths held"
    return f"{held}; Wilson 95 % interval of the success rate: {low} to {high}"


def _document(outcome: ProbeResult | Repetition) -> dict[str, Any]:
    """Return what ``--json`` prints of a path, or of all of them."""
    from netra_incident.probe import ProbeResult

    steps = [
        asdict(step) | {"seconds": None if step.seconds is None else round(step.seconds, 4)}
        for step in outcome.steps
    ]
    document = {"ok": outcome.ok, "steps": steps}
    if isinstance(outcome, ProbeResult):
        return document
    return document | {
        "n": len(outcome.paths),
        "successes": outcome.successes,
        "interval": [round(bound, 4) for bound in outcome.interval],
        "min_success": outcome.min_success,
        "paths": [_document(path) for path in outcome.paths],
    }

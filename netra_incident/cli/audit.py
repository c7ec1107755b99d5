"""``netra-ws audit``: what is awaited and cannot be, and what nobody awaits."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from netra_ws.serving.options import PathName

# What cannot be read is for the audit to say, which judges the others.
PATHS = PathName(path_type=Path, readable=False)

paths_argument = click.argument("paths", nargs=-1, required=True, type=PATHS, metavar="PATH...")
python_option = click.option(
    "--python",
    type=PATHS,
    help="The project's Python; otherwise VIRTUAL_ENV, or the nearest .venv.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["pyrefly", "both"]),
    default="pyrefly",
    show_default=True,
    help="The type checker to ask; both: pyright gives a second opinion.",
)
"""What `netra-ws fix` takes as well."""


@click.command("audit", short_help="Find superfluous awaits and coroutines that nobody awaits.")
@paths_argument
@python_option
@engine_option
@click.option(
    "--output-format",
    type=click.Choice(["full", "json-lines", "github", "sarif"]),
    default="full",
    show_default=True,
    help="For people, one JSON object a finding, GitHub annotations, or SARIF 2.1.0.",
)
@click.option(
    "--since",
    metavar="REV",
    help="Instead: which functions changed colour since this git revision, and which callers "
    "were left behind. It needs no type checker.",
)
def audit_command(
    paths: tuple[Path, ...],
    python: Path | None,
    engine: str,
    output_format: str,
    since: str | None,
) -> None:
    """Find what is awaited and is not awaitable, and coroutines that nobody awaits.

    Give files and folders; below a folder every *.py is judged but in hidden folders, virtual
    environments, site-packages, node_modules and __pycache__, and what git ignores. The settings
    are the command's own: no configuration file and no `# type: ignore` of the project changes
    them. A line is silenced by `# netra: ignore[await-sync]` or `# netra: ignore[unawaited]`.

    \b
    Examples:
      netra-ws audit src tests
      netra-ws audit --python .venv/bin/python --engine both src
      netra-ws audit --output-format github .
      netra-ws audit --output-format sarif . > audit.sarif
      netra-ws audit --since origin/main .

    \b
    Exit codes:
      0  clean; with --since, no caller left behind
      1  findings; with --since, callers left behind
      2  it could not judge: at all, or an import, a file, an ignore; each is named
      3  a fault of its own; the file with its traceback is named
    """
    if since is not None:
        from netra_incident.cli.drift import show_drift

        sys.exit(show_drift(paths, since, output_format))
    from await_audit import report as reports
    from await_audit.audit import audit
    from await_audit.engines import Engine

    report = audit(paths, python=python, engine=Engine(engine))
    folder = Path.cwd()
    if output_format == reports.OutputFormat.FULL:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True)
        for line in reports.full(report, folder):
            console.print(line)
    else:
        from await_audit.sarif import sarif

        write = {
            reports.OutputFormat.JSON_LINES: reports.json_lines,
            reports.OutputFormat.GITHUB: reports.github,
            reports.OutputFormat.SARIF: sarif,
        }[reports.OutputFormat(output_format)]
        for text in write(report, folder):
            click.echo(text)
        shows_all = write is reports.github  # the others are for programs
        for text in (
            *(() if shows_all else reports.not_judged(report, folder)),
            *reports.summary(report, folder),
        ):
            click.echo(text, err=True)
    sys.exit(report.exit_code)

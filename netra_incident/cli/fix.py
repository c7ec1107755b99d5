"""``netra-ws fix``: take out the `await`s that are wrong, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netra_incident.cli.audit import engine_option, paths_argument, python_option

if TYPE_CHECKING:
    from await_audit.editing.fix import FileFix


@click.command("fix", short_help="Take out superfluous awaits; by default show the diff.")
@paths_argument
@click.option("--write", "writes", is_flag=True, help="Write the files instead of a diff.")
@python_option
@engine_option
def fix_command(paths: tuple[Path, ...], writes: bool, python: Path | None, engine: str) -> None:
    """Take out every `await` of what is certainly not awaitable, and keep every byte around it.

    The diff goes to standard output; of what lies below this folder, `git apply` takes it here.
    Nothing is written without --write. The edited files are judged again as copies before that. An
    edit that does not pass is given up. What a person has to decide is named with the reason, and
    stays.

    \b
    Examples:
      netra-ws fix src
      netra-ws fix src | git apply
      netra-ws fix --write src tests

    \b
    Exit codes:
      0  nothing is left to fix
      1  the diff shows what to fix, or something is left for a person to decide
      2  it could not judge, or not write; what is named
      3  a fault of its own; the file with its traceback is named
    """
    from await_audit import report as reports
    from await_audit.audit import audit
    from await_audit.editing.fix import propose
    from await_audit.editing.writing import write
    from await_audit.engines import Engine

    folder = Path.cwd()
    report = audit(paths, python=python, engine=Engine(engine))
    fixes = propose(report)
    if writes:
        write(fixes)
    else:
        _show(fixes, folder)
    for fix in fixes:
        name = reports.relative(fix.path, folder)
        for left in fix.left:
            span = left.finding.span
            where = f"{name}:{span.line}:{span.column + 1}"
            said = f"{where}: {left.finding.message}; left, because {left.why}"
            click.echo(reports.printable(said), err=True)
    for line in reports.not_judged(report, folder):
        click.echo(line, err=True)
    click.echo(next(reports.summary(report, folder)), err=True)
    click.echo(f"{_summary(report.files, fixes, writes)}{reports.left_out(report)}", err=True)
    open_ends = any(fix.left or (fix.changed and not writes) for fix in fixes)
    sys.exit(1 if open_ends else 0 if report.is_whole else 2)


def _summary(files: Sequence[Path], fixes: Sequence[FileFix], written: bool) -> str:
    from await_audit.report import count

    changed = [fix for fix in fixes if fix.changed]
    removed, left = sum(fix.removed for fix in changed), sum(len(fix.left) for fix in fixes)
    rest = f"; {left} left" if left else ""
    if not changed:
        return f"nothing to take out in {count(len(files), 'file')}{rest}"
    what = f"{count(removed, 'await')} in {count(len(changed), 'file')}"
    if written:
        return f"took out {what}{rest}"
    return f"{what} to take out; --write does it{rest}"


def _show(fixes: Sequence[FileFix], folder: Path) -> None:
    """Print the diffs: coloured on a terminal, and otherwise in the bytes of the files."""
    from rich.console import Console
    from rich.text import Text

    from await_audit.editing.diff import STYLES, diff
    from await_audit.report import printable

    console = Console(highlight=False, soft_wrap=True)
    for fix in fixes:
        lines = diff(fix, folder)
        if console.is_terminal:
            for line in lines:
                shown = line.decode(errors="replace").rstrip("\r\n")
                style = next((to for mark, to in STYLES.items() if shown.startswith(mark)), "")
                console.print(Text(printable(shown.expandtabs()), style=style))
        else:
            sys.stdout.buffer.write(b"".join(lines))

"""``netra-ws checkout``: the incident as a git repository."""

from __future__ import annotations

from pathlib import Path

import click

from netra_incident.case import REVISIONS
from netra_incident.cli.options import FOLDER, case_option, chosen_case
from netra_incident.history.checkout import checkout


@click.command("checkout", short_help="Write the incident as a git repository.")
@click.argument("revision", type=click.Choice(REVISIONS))
@click.option("--into", type=FOLDER, required=True, help="A new or an empty folder.")
@case_option
def checkout_command(revision: str, into: Path, case: str | None) -> None:
    """Write the incident as a git repository, at REVISION.

    Tags: release-1, then harmless commits, then before, buggy and fixed. One of the harmless
    ones cannot be imported, as it happens in life: a bisection skips it.

    \b
    Example:
      netra-ws checkout buggy --into build/attempt
      git -C build/attempt diff before buggy

    \b
    Exit codes:
      0    the folder is at REVISION
      2    it is not empty, or cannot be written
    """
    commit = checkout(chosen_case(case).revision(revision), into)
    click.echo(f"{into} is at {revision} ({commit[:12]})")
    click.echo(f"next: netra-ws serve --tree {into}")

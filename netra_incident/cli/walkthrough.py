"""``netra-ws walkthrough``: the story, played on real servers."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from netra_incident.cli.options import FOLDER
from netra_ws.serving.command_line import extra


@click.command("walkthrough", short_help="Run the notebooks, write the post-mortem.")
@click.option(
    "--notebooks",
    type=FOLDER,
    default=Path("notebooks"),
    show_default=True,
    help="Folder of the notebooks.",
)
@click.option(
    "--build",
    type=FOLDER,
    default=Path("build"),
    show_default=True,
    help="Folder for the report.",
)
def walkthrough_command(notebooks: Path, build: Path) -> None:
    """Run every notebook on real servers and write the post-mortem: HTML, Markdown, and its
    actions as CSV.

    \b
    Example:
      netra-ws walkthrough

    \b
    Exit codes:
      0    done
      1    a notebook failed; its cell is named
      2    there are no notebooks here, or the report cannot be written there
      130  interrupted
    """
    with extra("incident"):
        from netra_incident.report.walkthrough import walk_through
    walk_through(notebooks, build, Console())

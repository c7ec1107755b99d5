"""``netra-ws notebooks``: the pages run again, and kept where nothing changed."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from netra_incident.cli.options import FOLDER
from netra_ws.serving.command_line import extra


@click.command("notebooks", short_help="Run the notebooks, keep what did not change.")
@click.argument("folder", type=FOLDER, default=Path("notebooks"))
def notebooks_command(folder: Path) -> None:
    """Run every notebook in FOLDER and rewrite those whose source, bar or output changed.

    \b
    Example:
      netra-ws notebooks

    \b
    Exit codes:
      0    done
      1    a notebook failed; its cell is named
      2    there are no notebooks here
      130  interrupted
    """
    with extra("incident"):
        from netra_incident.report.walkthrough import build_notebooks
    build_notebooks(folder, Console())

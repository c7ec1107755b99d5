"""What several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from netra_incident.case import Case, find_case, told_case
from netra_ws.serving.options import PathName

MARKS = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}
"""How the outcome of a step is shown: its word and its style."""

FOLDER = PathName(path_type=Path, file_okay=False)

case_option = click.option(
    "--case", metavar="NAME", help="Another incident than the one that the post-mortem tells."
)
"""Of a command that is about one incident; `chosen_case` takes its value."""


def chosen_case(name: str | None) -> Case:
    """Return the case that `--case` names, else the one that the post-mortem tells.

    Raises `ConfigurationError` if there is no such case, or none or several are marked.
    """
    return told_case() if name is None else find_case(name)

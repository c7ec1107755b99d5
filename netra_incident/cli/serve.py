"""``netra-ws serve``: the backend's own command, on a revision or a tree as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from netra_incident.case import REVISIONS
from netra_incident.cli.options import case_option, chosen_case
from netra_incident.history import tree as trees
from netra_ws.errors import ConfigurationError
from netra_ws.serving.commands import serve as backend
from netra_ws.serving.options import PathName
from netra_ws.serving.signals import hold_signals

HELP = f"""{cleandoc(backend.help or "")}

\b
Another code than what is installed, which is the revision `fixed`:
  netra-ws serve --revision buggy
  netra-ws serve --tree build/attempt
"""


@click.command("serve", short_help=backend.short_help, help=HELP)
@click.option("--revision", type=click.Choice(REVISIONS), help="A revision of the incident.")
@click.option(
    "--tree",
    type=PathName(path_type=Path, file_okay=False, exists=True),
    help="A folder with your own netra_ws in it.",
)
@case_option
@click.pass_context
def serve(
    context: click.Context,
    /,
    revision: str | None,
    tree: Path | None,
    case: str | None,
    **options: Any,
) -> None:
    """Serve what is installed in this process, or another code in its place."""
    if revision and tree:
        raise ConfigurationError("--revision and --tree exclude each other")
    if case is not None and revision is None:
        raise ConfigurationError("--case says which incident's --revision: give both")
    if revision is None and tree is None:
        context.invoke(backend, **options)
        return
    # The mask and what it holds back outlive exec: a signal in between must not leave the
    # scratch folder behind, for nobody would know of it.
    hold_signals(signal.SIG_BLOCK)
    asked = chosen_case(case).revision(revision) if revision else None
    environment = trees.code_environment(asked, tree)
    command = [*trees.BACKEND, "serve", *_given(context)]
    if sys.platform == "win32":  # whose exec starts a new process and orphans it
        sys.exit(subprocess.call(command, env=environment))
    os.execve(command[0], command, environment)


serve.params += backend.params


def _given(context: click.Context) -> list[str]:
    """Return the backend's options as they were given."""
    return [
        f"{option.opts[-1]}={context.params[option.name]}"
        for option in backend.params
        if option.name and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]

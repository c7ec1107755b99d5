"""What several commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from netra_ws.errors import ConfigurationError

INTERRUPTED = 130
"""The exit code of what was interrupted: 128 and the number of SIGINT, as shells have it."""

MARKS = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}
"""How the outcome of a step is shown: its word and its style."""

FOLDER = click.Path(path_type=Path, file_okay=False)


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn a missing package into the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"{error.name} is not installed: pip install 'netra_ws[{name}]'"
        raise ConfigurationError(msg) from error

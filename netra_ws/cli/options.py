"""What several commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from netra_ws.errors import ConfigurationError

INTERRUPTED = 130
"""The exit code of what was interrupted: 128 and the number of SIGINT, as shells have it."""

MARKS = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}
"""How the outcome of a step is shown: its word and its style."""


class _Folder(click.Path):
    """A folder that may have to be made. No name, as of an unset variable, is not this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("expected a folder, got an empty name", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = _Folder(path_type=Path, file_okay=False)


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn a missing package into the command that installs it, by the name of its extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "netra_ws"}:
            raise  # no installation mends that
        msg = f"{missing} is not installed; in a clone of netra_ws: pip install '.[{name}]'"
        raise ConfigurationError(msg) from error

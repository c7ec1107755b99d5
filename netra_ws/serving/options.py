"""What the options of all commands refuse: an empty value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from netra_ws.errors import reason


class PathName(click.Path):
    """A path; an empty one, as of an unset variable, is refused: it would be this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fails if it is empty."""
        if value == "":
            kind = "path" if self.file_okay else "folder"
            self.fail(f"expected a {kind}, got an empty name", param, ctx)
        try:
            Path(value).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # as that of links in a circle
            self.fail(f"{str(value)!r}: {reason(error)}", param, ctx)
        return super().convert(value, param, ctx)


def refuse_empty(_context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse an option that is given and empty."""
    if value == "":
        raise click.BadParameter("expected a value, got an empty one", param=param)
    return value

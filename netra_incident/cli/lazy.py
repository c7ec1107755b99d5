"""A group whose commands are imported when they are used, and not to list them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from netra_incident.lacking import explained
from netra_ws.errors import ConfigurationError
from netra_ws.serving.command_line import extra


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is, its line in the list, and the extra that has what it needs.

    `where` is ``MODULE:ATTRIBUTE``, as in an entry point.
    """

    where: str
    short_help: str
    extra: str | None = None

    def load(self) -> click.Command:
        """Import the command. Raises `ConfigurationError` if a package of its extra is missing."""
        with nullcontext() if self.extra is None else extra(self.extra):
            module, _, attribute = self.where.partition(":")
            command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """Commands by their names, in the order in which they are listed."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, Lazy], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Return the names of the commands."""
        return list(self._lazy)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command. Raises `ConfigurationError` if a package of its extra is missing."""
        lazy = self._lazy.get(cmd_name)
        return lazy.load() if lazy is not None else None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.short_help) for name, lazy in self._lazy.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it imports while it runs may be missing as well."""
        try:
            return super().invoke(ctx)
        except ImportError as error:
            if (why := explained(error)) is not None:
                raise ConfigurationError(why) from error
            lazy = self._lazy.get(ctx.invoked_subcommand or "")
            if lazy is None or lazy.extra is None:
                raise
            with extra(lazy.extra):
                raise

"""The command line of the backend alone, and what every command line of ours shares.

Exit codes: 0 done, 1 it ran and the answer is no, 2 it could not be done as asked, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from netra_ws.errors import ConfigurationError, NetraError
from netra_ws.serving.commands import hash_password_command, serve
from netra_ws.serving.leaving import leave

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 96}


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Say which command installs a missing package, by the name of its extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "await_audit", "netra_incident", "netra_ws"}:
            raise  # no installation mends that
        msg = f"{missing} is not installed; in a clone of netra_ws: pip install '.[{name}]'"
        raise ConfigurationError(msg) from error


def run(commands: click.Group, name: str, *errors: type[Exception]) -> NoReturn:
    """Run the commands and exit; what they cannot do is one line on standard error.

    `errors` are what they raise for that; an error's own `exit_code` counts, else it is 2.
    """
    try:
        code = commands.main(prog_name=name, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("netra-ws: interrupted", err=True)
        code = INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else name
        message = " ".join(error.format_message().split()).removesuffix(".")
        click.echo(f"netra-ws: {message}. See {where} --help.", err=True)
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"netra-ws: {error.format_message()}", err=True)
        code = 2
    except errors as error:
        click.echo(f"netra-ws: {error}", err=True)
        code = getattr(error, "exit_code", 2)
    leave(code)


class _Backend(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return a command; raises `click.UsageError` for one that only `netra-ws` has."""
        if cmd_name not in self.commands:
            here = " and ".join(self.commands)
            ctx.fail(f"No command {cmd_name!r} here, only {here}: for others run netra-ws.")
        return self.commands[cmd_name]

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; raises `ConfigurationError` if a package is missing."""
        with extra("serve"):
            return super().invoke(ctx)


@click.command(cls=_Backend, commands=[serve, hash_password_command], context_settings=SETTINGS)
def backend() -> None:
    """The backend by itself. The command netra-ws does this and more."""


def main() -> NoReturn:
    """Run the command line of the backend."""
    run(backend, "python -m netra_ws", NetraError)

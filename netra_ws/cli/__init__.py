"""The command line: the one package that stands above all wings.

Exit codes: 0 done, 1 it ran and the answer is no, 2 it could not be done as asked, 130 interrupted.
"""

from __future__ import annotations

import signal
import sys

import click

from netra_ws.cli.drilling import drill_command
from netra_ws.cli.history import checkout_command
from netra_ws.cli.options import INTERRUPTED
from netra_ws.cli.pages import notebooks_command, walkthrough_command
from netra_ws.cli.probing import probe_command
from netra_ws.cli.proving import verify_command
from netra_ws.cli.serving import hash_password_command, serve
from netra_ws.errors import NetraError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(package_name="netra_ws")
def cli() -> None:
    """A WebSocket backend that streams agent events, and the incident it went through.

    \b
    netra-ws serve                         both services, on this machine
    netra-ws serve --revision buggy        the same with the bug of the incident
    netra-ws checkout buggy --into FOLDER  the history, to look at, bisect and mend
    netra-ws verify                        the tests of the incident, before and after the fix
    netra-ws probe --base-url URL …        the golden path of any deployment, step by step
    netra-ws drill                         the emergency rollback, rehearsed and timed
    """


for command in (
    serve,
    hash_password_command,
    checkout_command,
    verify_command,
    probe_command,
    drill_command,
    walkthrough_command,
    notebooks_command,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; what it cannot do is one line on standard error and an exit code."""
    # Whoever cancels a job sends SIGTERM; what is running has to be ended and undone as well.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        code = cli.main(prog_name="netra-ws", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("netra-ws: interrupted", err=True)
        code = INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "netra-ws"
        message = " ".join(error.format_message().split())
        click.echo(f"netra-ws: {message} See {where} --help.", err=True)
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"netra-ws: {error.format_message()}", err=True)
        code = 2
    except NetraError as error:
        click.echo(f"netra-ws: {error}", err=True)
        code = error.exit_code
    sys.exit(code)

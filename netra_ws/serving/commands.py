"""``serve``, and what a users file needs."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import click

from netra_ws.serving import origin
from netra_ws.serving.leaving import wait_for_nobody, workers_end
from netra_ws.serving.options import PathName, refuse_empty
from netra_ws.serving.signals import HANGUP, catch, hold_signals

PORT = click.IntRange(0, 65535)
FILE = PathName(path_type=Path)


@click.command("serve", short_help="Serve the backend and the login service.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    callback=refuse_empty,
    help="Address to listen on.",
)
@click.option(
    "--port",
    type=PORT,
    default=8000,
    show_default=True,
    help="Port of the backend; 0 takes a free one.",
)
@click.option(
    "--auth-port",
    type=PORT,
    default=8001,
    show_default=True,
    help="Port of the login service; 0 takes a free one.",
)
@click.option(
    "--agent",
    metavar="MODULE:CALLABLE",
    callback=refuse_empty,
    help="Your agent instead of the built-in one.",
)
@click.option(
    "--demo-users",
    type=click.IntRange(0, 1000),
    metavar="N",
    help="How many demo users, with new random passwords; only with TEST_ENVIRONMENT=local."
    "  [default: 3]",
)
@click.option(
    "--users",
    type=FILE,
    metavar="FILE",
    help='The users, as JSON: [{"email", "id", "argon2"}, …]; see netra-ws hash-password.',
)
@click.option(
    "--service",
    type=click.Choice(["backend", "auth"]),
    help="Only this one of the two; they share NETRA_WS_SECRET.",
)
@click.option(
    "--settings",
    type=FILE,
    metavar="FILE",
    help="Limits other than the default ones, as JSON; GET /ws/config shows all there are. Two "
    "services of one deployment take the same file.",
)
def serve(**options: Any) -> None:
    """Serve the backend and the login service until SIGINT or SIGTERM.

    Then runs may finish within drain_timeout_s; a second signal cuts that short. So it does at
    every other signal that would end it, such as SIGQUIT; but where there is a users file, SIGHUP
    has it read again. Tokens of users who are no longer in it stay good until they expire.

    As soon as they listen, one JSON line on standard output names their addresses, the demo
    users, and the address to open in a browser; a terminal shows that once more on a line of its
    own. Log lines go to standard error, as JSON.

    \b
    Examples:
      netra-ws serve --port 0 --auth-port 0
      TEST_ENVIRONMENT=staging NETRA_WS_SECRET=… netra-ws serve --users users.json
      NETRA_WS_SECRET=… netra-ws serve --service backend
      echo '{"drain_timeout_s": 30}' > settings.json; netra-ws serve --settings settings.json

    \b
    Environment:
      TEST_ENVIRONMENT  local (default: loopback, demo users) or staging
      NETRA_WS_SECRET   what tokens are signed with, 32 bytes or more
      NETRA_WS_COMMIT   the commit that health answers and log lines name

    \b
    Exit codes:
      0  ended by a signal
      2  cannot start as asked; one line on standard error says why
    """
    scratch = os.environ.pop(origin.SCRATCH, None)
    if scratch is not None:
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    catch(partial(_stop, scratch))
    if options["users"] is not None and HANGUP is not None:
        signal.signal(HANGUP, lambda *_: None)  # the file is still to be read
    hold_signals(signal.SIG_UNBLOCK)
    try:
        origin.check_origin()
        with origin.naming_the_tree():
            from netra_ws.serving.process import Options, run

        named = os.environ.get(origin.REVISION) if origin.TREE in os.environ else None
        label = (named or "fixed").encode(errors="backslashreplace").decode()
        if not run(Options(revision=label, **options)):
            _stop(scratch)
    except BaseException:
        if not workers_end():  # an agent's module that cannot be imported may have begun some
            _delete(scratch)
            wait_for_nobody()
        raise
    finally:
        hold_signals(signal.SIG_BLOCK)
        catch(partial(_stop, scratch))  # the interpreter's end may have to wait for an agent's
        hold_signals(signal.SIG_UNBLOCK)


def _delete(scratch: str | None) -> None:
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)


def _stop(scratch: str | None) -> None:
    """End the process at once: an agent's import may catch `SystemExit`."""
    _delete(scratch)
    os._exit(0)


@click.command("hash-password", short_help="Print the hash of a password.")
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    callback=refuse_empty,
    help="The password; asked for if not given, which keeps it out of your shell's history.",
)
def hash_password_command(password: str) -> None:
    """Print the argon2id hash of a password, for a users file.

    \b
    Example:
      netra-ws hash-password

    \b
    Exit codes:
      0    the hash is on standard output
      130  interrupted before one was typed
    """
    from netra_ws.auth.users import hash_password

    click.echo(hash_password(password))

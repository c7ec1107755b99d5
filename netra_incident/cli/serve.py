"""``netra-ws serve`` and what a users file needs."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click

from netra_incident.case import REVISIONS
from netra_incident.cli.options import case_option, chosen_case
from netra_incident.history import tree as trees
from netra_ws.errors import ConfigurationError


@click.command("serve", short_help="Serve the backend and the login service.")
@click.option("--revision", type=click.Choice(REVISIONS), help="A revision of the incident.")
@click.option(
    "--tree",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder with your own netra_ws in it.",
)
@case_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port of the backend; 0 takes a free one.",
)
@click.option(
    "--auth-port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    help="Port of the login service; 0 takes a free one.",
)
@click.option("--agent", metavar="MODULE:CALLABLE", help="Your agent instead of the built-in one.")
@click.option(
    "--demo-users",
    type=click.IntRange(0, 1000),
    metavar="N",
    help="How many demo users, with new random passwords; only with TEST_ENVIRONMENT=local."
    "  [default: 3]",
)
@click.option(
    "--users",
    type=click.Path(path_type=Path),
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
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Limits other than the default ones, as JSON; GET /ws/config shows all there are. Two "
    "services of one deployment take the same file.",
)
def serve(
    revision: str | None,
    tree: Path | None,
    case: str | None,
    host: str,
    port: int,
    auth_port: int,
    agent: str | None,
    demo_users: int | None,
    users: Path | None,
    service: str | None,
    settings: Path | None,
) -> None:
    """Serve the backend and the login service until SIGINT or SIGTERM.

    Then runs may finish within drain_timeout_s; a second signal cuts that short.

    As soon as they listen, one JSON line on standard output names their addresses and the demo
    users. Log lines go to standard error, as JSON.

    Without --revision and --tree the installed package serves, which is the revision `fixed`.

    \b
    Examples:
      netra-ws serve --port 0 --auth-port 0
      netra-ws serve --revision buggy
      netra-ws serve --tree build/attempt
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
      0  ended by SIGINT or SIGTERM
      2  cannot start as asked; one line on standard error says why
    """
    if revision and tree:
        raise ConfigurationError("--revision and --tree exclude each other")
    asked = revision or (tree and str(tree.resolve()))
    if asked and not trees.has_become(asked, is_tree=tree is not None):
        _become(revision, tree, case)
    scratch = os.environ.pop(trees.SCRATCH, None)
    if scratch is not None:
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    for signum in STOP_SIGNALS:
        signal.signal(signum, lambda *_: _stop(scratch))
    _mask(signal.SIG_UNBLOCK)
    try:
        trees.check_origin()
        from netra_ws.serving.process import Options, run

        inherited = os.environ.get(trees.REVISION) if trees.TREE in os.environ else None
        label = asked or inherited or "fixed"
        ended = run(
            Options(host, port, auth_port, label, agent, demo_users, users, service, settings)
        )
        if not ended:
            _stop(scratch)
    finally:
        _mask(signal.SIG_BLOCK)  # a second signal must not cut the cleaning up short


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _stop(scratch: str | None) -> None:
    """End the process before it serves.

    Not with `SystemExit`: an agent's import may catch it, and a weak reference's callback drops it.
    """
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)


def _mask(how: int) -> None:
    """Hold the signals that end a process, or let them come again."""
    if sys.platform != "win32":
        signal.pthread_sigmask(how, STOP_SIGNALS)


def _become(revision: str | None, tree: Path | None, case: str | None) -> None:
    """Go on as the same command, run by the package of `tree` or else of `revision`."""
    # The mask and what it holds back outlive exec: a signal in between must not leave the
    # scratch folder behind, for nobody would know of it.
    _mask(signal.SIG_BLOCK)
    # Within another tree's environment this is that tree's package: first get out of there.
    environment = trees.outside()
    if environment is None:
        asked = chosen_case(case).revision(revision) if revision else None
        environment = trees.resolve_tree(asked, tree)
    command = trees.command(*sys.argv[1:])
    if sys.platform == "win32":  # whose exec starts a new process and orphans it
        sys.exit(subprocess.call(command, env=environment))
    os.execve(command[0], command, environment)


@click.command("hash-password", short_help="Print the hash of a password.")
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
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

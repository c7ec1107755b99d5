"""The command line `netra-ws`: a module for each command, named as the command."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import click

from await_audit.errors import AuditError
from netra_incident.cli.lazy import Lazy, LazyGroup
from netra_ws.serving.command_line import INTERRUPTED, SETTINGS, run

COMMANDS = {
    "serve": Lazy(
        "netra_incident.cli.serve:serve", "Serve the backend and the login service.", "serve"
    ),
    "hash-password": Lazy(
        "netra_ws.serving.commands:hash_password_command", "Print the hash of a password.", "serve"
    ),
    "checkout": Lazy(
        "netra_incident.cli.checkout:checkout_command",
        "Write the incident as a git repository.",
        "serve",
    ),
    "verify": Lazy(
        "netra_incident.cli.verify:verify_command",
        "Run the incident's tests before and after the fix.",
        "test",
    ),
    "probe": Lazy(
        "netra_incident.cli.probe:probe_command", "Walk the golden path of any deployment.", "serve"
    ),
    "drill": Lazy(
        "netra_incident.cli.drill:drill_command", "Rehearse the emergency rollback, timed.", "test"
    ),
    "audit": Lazy(
        "netra_incident.cli.audit:audit_command",
        "Find superfluous awaits and coroutines that nobody awaits.",
    ),
    "fix": Lazy(
        "netra_incident.cli.fix:fix_command",
        "Take out superfluous awaits; by default show the diff.",
    ),
    "walkthrough": Lazy(
        "netra_incident.cli.walkthrough:walkthrough_command",
        "Run the notebooks, write the post-mortem.",
        "incident",
    ),
    "notebooks": Lazy(
        "netra_incident.cli.notebooks:notebooks_command",
        "Run the notebooks, keep what did not change.",
        "incident",
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings=SETTINGS,
)
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
    netra-ws audit PATH                    superfluous awaits and un-awaited coroutines, in any code
    netra-ws fix PATH                      the same code without the superfluous awaits, as a diff
    netra-ws audit --since REV PATH        callers left behind by functions that changed colour
    """


def main() -> NoReturn:
    """Run the command line."""
    try:
        # Whoever cancels a job sends SIGTERM; what is running has to be ended and undone as well.
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        if "PRE_COMMIT" in os.environ and os.environ.get("VIRTUAL_ENV") == sys.prefix:
            # pre-commit names the environment of its hook there, which has nothing of the project.
            del os.environ["VIRTUAL_ENV"]
        run(cli, "netra-ws", AuditError)
    except KeyboardInterrupt:  # before the command begins, or after it
        sys.exit(INTERRUPTED)

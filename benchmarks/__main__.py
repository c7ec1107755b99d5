"""``python -m benchmarks``."""

from __future__ import annotations

import signal
import sys

import click

from netra_ws.errors import NetraError

INTERRUPTED = 130
"""The exit code of what was interrupted: 128 and the number of SIGINT, as shells have it."""


def main() -> None:
    """Run the command line; what it cannot do is one line on standard error and an exit code."""
    # Whoever cancels a job sends SIGTERM; the servers have to be ended as well.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        from benchmarks.cli import command

        sys.exit(command.main(prog_name="python -m benchmarks", standalone_mode=False))
    except (click.exceptions.Abort, KeyboardInterrupt):
        _end("interrupted", INTERRUPTED)
    except click.ClickException as error:
        _end(f"{error.format_message()} See python -m benchmarks --help.", 2)
    except NetraError as error:
        _end(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        _end(f"{error.name} is not installed; in a clone of netra_ws: pip install '.[bench]'", 2)


def _end(why: str, code: int) -> None:
    click.echo(f"benchmarks: {' '.join(why.split())}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""``python -m benchmarks``."""

from __future__ import annotations

import signal
import sys

from netra_ws.serving.command_line import boundary, extra


def main() -> None:
    """Run the command line; what it cannot do is one line on standard error and an exit code."""
    # Whoever cancels a job sends SIGTERM; the servers have to be ended as well.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    name = "python -m benchmarks"
    with boundary(name, prefix="benchmarks"), extra("bench"):
        from benchmarks.cli import command

        sys.exit(command.main(prog_name=name, standalone_mode=False))


if __name__ == "__main__":
    main()

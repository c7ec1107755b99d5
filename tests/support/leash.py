"""Child processes that end with this one, however it ends.

Each is the leader of a session of its own, whose processes are killed when its context ends. A
keeper, one for each test process, covers the rest: its standard input ends when the test process
does, by kill -9 as well, and then it kills the sessions that are still on its list.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from limits import HANG_S


class _Keeper:
    """The keeper of this process, started with the first child that it is told of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.kept: set[int] = set()

    def keep(self, target: int) -> None:
        """Put a target of `os.kill` on the list."""
        self.kept.add(target)
        self._tell(f"+{target}")

    def forget(self, target: int) -> None:
        """Take a target off the list."""
        self.kept.discard(target)
        self._tell(f"-{target}")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", Path(__file__).with_name("keeper.py")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    start_new_session=True,
                )
                atexit.register(self._process.communicate)
            assert self._process.stdin is not None
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()


_keeper = _Keeper()


def start(
    command: Sequence[str | Path], *, session: bool = True, **options: Any
) -> subprocess.Popen[Any]:
    """Start a process as `subprocess.Popen` does; it ends with this one at the latest.

    Without `session` it stays in this one, to share its terminal, and is ended by itself.
    """
    process = subprocess.Popen(command, start_new_session=session, **options)
    _keeper.keep(-process.pid if session else process.pid)
    return process


def kill(process: subprocess.Popen[Any]) -> None:
    """Kill what is left of the session of a process."""
    if -process.pid in _keeper.kept:
        with suppress(ProcessLookupError, PermissionError):  # macOS: all that is left are zombies
            os.killpg(process.pid, signal.SIGKILL)


def end(process: subprocess.Popen[Any]) -> None:
    """Kill what is left of the session of a process, and forget it; harmless when repeated."""
    kill(process)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(BrokenPipeError):  # what it did not read
                stream.close()
    _keeper.forget(-process.pid)


@contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """`start` a process, and `end` it."""
    process = start(command, **options)
    try:
        yield process
    finally:
        end(process)


def run(
    command: Sequence[str | Path], *, timeout_s: float = HANG_S, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a process to its end, and end with it what it has left.

    By default nothing is on its standard input, and what it writes is captured as text. Raises
    `subprocess.TimeoutExpired` if it has not ended after `timeout_s`.
    """
    streams: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    with started(command, **{"text": True, **streams, **options}) as process:
        stdout, stderr = process.communicate(timeout=timeout_s)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

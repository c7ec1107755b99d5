"""Child processes as a user would start them, each bounded in time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import leash
from limits import HANG_S

from netra_ws.serving.origin import TREE

COMMAND = (sys.executable, "-P", "-m", "netra_incident")


def clean_environment(extra: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return this process's environment without what would configure netra-ws or git.

    The tree under test stays: PYTHONPATH leads to it.
    """
    return {
        name: value
        for name, value in extra.items()
        if name == TREE
        or (not name.startswith(("NETRA_WS_", "GIT_")) and name != "TEST_ENVIRONMENT")
    }


def python_path(*entries: str | Path) -> dict[str, str]:
    """Return PYTHONPATH with these entries before the ones that are there already."""
    present = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([*map(str, entries), *([present] if present else [])])}


def netra_ws(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
) -> subprocess.CompletedProcess[str]:
    """Run a netra-ws command to its end."""
    environment = clean_environment() | dict(env or {})
    return leash.run([*command, *map(str, arguments)], cwd=cwd, env=environment)


RunNetraWs = Callable[..., subprocess.CompletedProcess[str]]
"""`netra_ws`, and the fixture `run_netra_ws`: arguments of the command, `cwd` and `env`."""


def git(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run git as somebody without any configuration, or with what `env` says, and return stdout."""
    environment = clean_environment()
    if env is None:
        environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = leash.run(["git", *arguments], cwd=cwd, env=environment | dict(env or {}))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fake_git(folder: Path, command: str) -> dict[str, str]:
    """Return the PATH of a git that runs this shell command, and goes on as git after it."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "git").write_text(f'#!/bin/sh\n{command}\nexec {shutil.which("git")} "$@"\n')
    (tools / "git").chmod(0o755)
    return {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}


class Server:
    """A running ``netra-ws serve``; its first line of standard output has been read."""

    def __init__(
        self,
        *arguments: str | Path,
        cwd: Path,
        log: Path,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        self._log = log
        with log.open("w") as stderr:
            self.process = leash.start(
                [*command, "serve", "--port", "0", "--auth-port", "0", *map(str, arguments)],
                cwd=cwd,
                env=clean_environment() | dict(env or {}),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        watchdog = threading.Timer(HANG_S, self.process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            self.line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        try:
            self.announcement: dict[str, Any] = json.loads(self.line)
        except ValueError as error:
            self.kill()
            msg = f"the server did not start: {self.line}{self.stderr()}"
            raise AssertionError(msg) from error

    @property
    def backend(self) -> str:
        return self.announcement["backend"]

    @property
    def auth(self) -> str:
        return self.announcement["auth"]

    @property
    def users(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(**user) for user in self.announcement["demo_users"]]

    def stderr(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines; raises if one of them is not JSON."""
        return [json.loads(line) for line in self.stderr().splitlines()]

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Send the signal; return the exit code once the process has ended."""
        self.process.send_signal(signum)
        return self.process.wait(HANG_S)

    def rest_of_stdout(self) -> str:
        """Return what came after the first line; the process has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def kill(self) -> None:
        """Make sure that nothing is left; harmless after a stop."""
        leash.end(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()


Serve = Callable[..., Server]
"""The fixture `serve`: arguments of the command, options of `Server`."""

"""A deployment: `netra-ws serve` in a child process, with the code that was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

import msgspec

from netra_ws.auth.users import DemoUser
from netra_ws.errors import ConfigurationError
from netra_ws.incident.tree import command
from netra_ws.process import Announcement

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class Deployment:
    """A running pair of services; stop it, or use it as a context manager.

    Its representation names no port, process or path, so that a notebook may show it.
    """

    def __init__(self, process: subprocess.Popen[str], line: str, log: Path) -> None:
        self._process = process
        self._log = log
        self._announcement = msgspec.json.decode(line, type=Announcement)

    def __repr__(self) -> str:
        """Say what serves and for whom."""
        state = "listening" if self._process.poll() is None else "stopped"
        return f"{Path(self.revision).name}: {state}, {len(self.users)} users"

    @property
    def backend(self) -> str:
        """The URL of the backend."""
        return self._announcement.backend

    @property
    def auth(self) -> str:
        """The URL of the login service."""
        return self._announcement.auth

    @property
    def revision(self) -> str:
        """The revision or the folder that was asked for."""
        return self._announcement.revision

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._announcement.pid

    @property
    def users(self) -> list[DemoUser]:
        """The logins of the demo users."""
        return self._announcement.demo_users

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def failures(self) -> dict[str, dict[str, str]]:
        """Return what failed, by route: type, message, where, function and line of the error."""
        return {
            line["route"]: line["error"] for line in self.log() if line["event"] == "route failed"
        }

    def stop(self) -> int:
        """End the server with SIGTERM and return its exit code; harmless when repeated."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._log.unlink(missing_ok=True)
        return self._process.returncode

    def __enter__(self) -> Self:
        """Return the deployment."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop it."""
        self.stop()


def deploy(
    revision: str | None = None, *options: str, tree: Path | None = None, users: int = 20
) -> Deployment:
    """Start both services on free ports and return once they listen.

    `revision` is one of the three of the incident, `tree` a folder with a package of its own, and
    neither is the installed package. `options` go to `netra-ws serve` as they are. Raises
    `ConfigurationError` with the server's own words if it does not start.
    """
    arguments = ["serve", "--port", "0", "--auth-port", "0", *options]
    environment = {**os.environ, "NETRA_WS_SUPERVISED": "1"}
    if revision is not None:
        arguments += ["--revision", revision]
    if tree is not None:
        arguments += ["--tree", str(tree)]
    if "--users" not in options:
        arguments += ["--demo-users", str(users)]
        # Demo users are for a rehearsal on this machine, whatever the caller's shell is set up for.
        environment["TEST_ENVIRONMENT"] = "local"
        environment.pop("NETRA_WS_SECRET", None)
    handle, name = tempfile.mkstemp(prefix="netra-ws-", suffix=".log")
    # A session of its own: interrupting a notebook must not end the servers it talks to. Its
    # standard input ends when this process does, however that happens, and the server with it.
    with os.fdopen(handle, "w") as log:
        process = subprocess.Popen(
            command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
            start_new_session=True,
        )
    assert process.stdout is not None
    watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    path = Path(name)
    try:
        return Deployment(process, line, path)
    except msgspec.DecodeError as error:
        process.kill()
        process.communicate()
        said = path.read_text(encoding="utf-8").strip().splitlines()[-1:] or ["no word at all"]
        path.unlink()
        raise ConfigurationError(f"the server did not start: {line}{said[0]}") from error

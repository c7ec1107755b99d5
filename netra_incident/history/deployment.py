"""A deployment: the backend in child processes, with the code that was asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from netra_incident.case import Revision
from netra_incident.history.tree import BACKEND, code_environment
from netra_ws.auth.users import DemoUser, User, hash_password
from netra_ws.decoding import decode
from netra_ws.errors import ConfigurationError, JsonError
from netra_ws.serving.origin import SCRATCH
from netra_ws.serving.process import Announcement

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
"""Seconds after which a server that drains and goes hangs: six times `drain_timeout_s`."""

ANNOUNCEMENT = msgspec.json.Decoder(Announcement)
"""Made once, and not by the threads that deploy side by side; see `netra_incident.case`."""


class Server:
    """One backend in a child process; it listens as soon as the object exists.

    Raises `ConfigurationError` with the server's own words if it does not start.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._scratch = environment.get(SCRATCH)
        # Without a name: however this process ends, nothing is left behind.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
        # A session of its own: interrupting a notebook must not end the servers it talks to. Its
        # standard input ends when this process does, however that happens, and the server with it.
        self._process = subprocess.Popen(
            [*BACKEND, "serve", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            errors="replace",
            env={**environment, "NETRA_WS_SUPERVISED": "1"},
            start_new_session=True,
        )
        try:
            line = self._first_line()
            self.announcement = decode(line, ANNOUNCEMENT, "an announcement")
        except JsonError as error:
            said = self.stderr().strip().splitlines()[-1:] or ["no word at all"]
            self.stop()
            raise ConfigurationError(f"the server did not start: {line}{said[0]}") from error
        except BaseException:
            self.stop()
            raise

    def _first_line(self) -> str:
        assert self._process.stdout is not None
        watchdog = threading.Timer(START_TIMEOUT_S, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            return self._process.stdout.readline()
        finally:
            watchdog.cancel()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def stderr(self) -> str:
        """Return what the process wrote to its standard error so far; nothing after `stop`."""
        if self._log.closed:
            return ""
        # The child writes at the position that it shares with this process: it must not move.
        size = os.fstat(self._log.fileno()).st_size
        if hasattr(os, "pread"):
            return os.pread(self._log.fileno(), size, 0).decode(errors="replace")
        self._log.seek(0)
        said = self._log.read(size).decode(errors="replace")
        self._log.seek(0, os.SEEK_END)
        return said

    def stop(self) -> int:
        """End the process with SIGTERM and return its exit code; harmless when repeated."""
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                stream.close()
        if self._scratch is not None:  # the backend deletes it, unless it was killed
            shutil.rmtree(self._scratch, ignore_errors=True)
        return self._process.returncode


class Deployment:
    """A running pair of services; stop it, or use it as a context manager.

    Its representation names no port, process or path, so that a notebook may show it.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def __repr__(self) -> str:
        """Say what serves and for whom."""
        state = "listening" if self._server.alive else "stopped"
        return f"{Path(self.revision).name}: {state}, {len(self.users)} users"

    @property
    def backend(self) -> str:
        """The URL of the backend."""
        assert self._server.announcement.backend is not None
        return self._server.announcement.backend

    @property
    def auth(self) -> str:
        """The URL of the login service."""
        assert self._server.announcement.auth is not None
        return self._server.announcement.auth

    @property
    def revision(self) -> str:
        """The revision or the folder that the backend was started from."""
        return self._server.announcement.revision

    @property
    def pid(self) -> int:
        """The process id of the backend."""
        return self._server.announcement.pid

    @property
    def users(self) -> list[DemoUser]:
        """The logins of the users."""
        return self._server.announcement.demo_users

    def stderr(self) -> str:
        """Return what the backend wrote to its standard error so far."""
        return self._server.stderr()

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines of the backend so far."""
        return [json.loads(line) for line in self.stderr().splitlines() if line.startswith("{")]

    def failures(self) -> dict[str, dict[str, str]]:
        """Return what failed, by route: type, message, where, function and line of the error."""
        return {
            line["route"]: line["error"] for line in self.log() if line["event"] == "route failed"
        }

    def stop(self) -> int:
        """End the services with SIGTERM; returns the backend's exit code, harmless if repeated."""
        return self._server.stop()

    def __enter__(self) -> Self:
        """Return the deployment."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop it."""
        self.stop()


def deploy(
    revision: Revision | None = None, *options: str, tree: Path | None = None, users: int = 20
) -> Deployment:
    """Start both services in one process on free ports and return once they listen.

    `revision` is one of the three of a case, `tree` a folder with a package of its own, and
    neither is the package that runs this. `options` are those of `serve`. Raises
    `ConfigurationError` with the server's own words if it does not start.
    """
    arguments = ["--port", "0", "--auth-port", "0", *options]
    environment = code_environment(revision, tree)
    if "--users" not in options:
        arguments += ["--demo-users", str(users)]
        # Demo users are for a rehearsal on this machine, whatever the caller's shell is set up for.
        environment["TEST_ENVIRONMENT"] = "local"
        environment.pop("NETRA_WS_SECRET", None)
    return Deployment(Server(arguments, environment))


class StagingDeployment(Deployment):
    """The two services as processes of their own, as they are in staging.

    There are no demo users: the users have a file with their hashes, and tokens are signed with
    a secret of this deployment alone. The backend can be replaced while the login service goes on.
    """

    def __init__(self, revision: Revision | None, tree: Path | None, users: int) -> None:
        self._logins = [
            DemoUser(f"user{n}@staging.example", token_urlsafe(16)) for n in range(1, users + 1)
        ]
        self._environment = {
            **os.environ,
            "TEST_ENVIRONMENT": "staging",
            "NETRA_WS_SECRET": token_urlsafe(48),
        }
        users_file = [
            User(login.email, f"user{n}", hash_password(login.password))
            for n, login in enumerate(self._logins, 1)
        ]
        with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
            path = Path(folder) / "users.json"  # read at the start, and not needed after it
            path.write_bytes(msgspec.json.encode(users_file))
            auth = ["--service", "auth", "--auth-port", "0", "--users", str(path)]
            environment = code_environment(revision, tree, self._environment)
            self._auth_server = Server(auth, environment)
        try:
            super().__init__(self._start_backend(0, revision, tree))
        except BaseException:
            self._auth_server.stop()
            raise

    def _start_backend(self, port: int, revision: Revision | None, tree: Path | None) -> Server:
        arguments = ["--service", "backend", "--port", str(port)]
        return Server(arguments, code_environment(revision, tree, self._environment))

    @property
    def auth(self) -> str:
        """The URL of the login service."""
        assert self._auth_server.announcement.auth is not None
        return self._auth_server.announcement.auth

    @property
    def auth_pid(self) -> int:
        """The process id of the login service."""
        return self._auth_server.announcement.pid

    @property
    def users(self) -> list[DemoUser]:
        """The logins of the users."""
        return self._logins

    def redeploy(self, revision: Revision | None = None, *, tree: Path | None = None) -> None:
        """Replace the backend, at the same address, by that of a revision or of a tree.

        Tokens stay valid; logs of events do not outlive the process. Raises `ConfigurationError`
        if the new one does not start; then there is none.
        """
        self._server.stop()
        port = urlsplit(self.backend).port
        assert port is not None
        self._server = self._start_backend(port, revision, tree)

    def stop(self) -> int:
        """End both services with SIGTERM; returns the backend's exit code, harmless if repeated."""
        self._auth_server.stop()
        return super().stop()


def deploy_staging(
    revision: Revision | None = None, *, tree: Path | None = None, users: int = 3
) -> StagingDeployment:
    """Start the two services as in staging, on loopback, and return once they listen.

    `revision` and `tree` as in `deploy`; raises what `deploy` raises.
    """
    return StagingDeployment(revision, tree, users)

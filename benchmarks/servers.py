"""The servers that are measured: how each is started, and ended."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import msgspec

from benchmarks.machine import Clock, settle_child
from benchmarks.work import PAUSE, SECRET
from netra_incident.history.checkout import git
from netra_ws.errors import ConfigurationError

ROOT = Path(__file__).parents[1]

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0

LIMITS: dict[str, Any] = {
    "max_messages_per_s": 1e6,
    "max_runs_per_user": 64,
    "max_connections": 20_000,
}
"""What a load generator needs beyond what a person does; every other limit is the default one."""


class Program(NamedTuple):
    """A server as a command: its short name, its name for people, and the arguments of Python.

    `greets`: whether it sends a message of its own before it is asked. `tree`: the folder whose
    `netra_ws` runs; it is ours if it is empty.
    """

    name: str
    title: str
    arguments: tuple[str, ...]
    greets: bool = False
    tree: str = ""


def _rival(name: str, title: str) -> Program:
    return Program(name, title, ("-m", f"benchmarks.rivals.{name}"))


OURS = Program(
    "netra_ws",
    "netra_ws",
    ("-m", "netra_ws", "serve", "--service", "backend", "--port", "0", "--agent",
     "benchmarks.agents:ai"),
    greets=True,
)  # fmt: skip
BEFORE = OURS._replace(name="netra_ws_before", title="netra_ws before")
"""Another commit of ours; its `tree` is known when there is one."""

DEFAULT = _rival("fastapi_default", "FastAPI")
TUNED = _rival("fastapi_orjson", "FastAPI + orjson")
PROGRAMS = (
    OURS,
    _rival("aiohttp_plain", "aiohttp"),
    TUNED,
    _rival("websockets_plain", "websockets"),
    DEFAULT,
)


def put_commit(commit: str, folder: Path) -> None:
    """Put the `netra_ws` of a commit of this repository into `folder`.

    Raises `ConfigurationError` if there is no such commit here.
    """
    archive = folder / "netra_ws.zip"
    git("archive", f"--output={archive}", "--end-of-options", commit, "netra_ws", cwd=ROOT)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)


class _Announcement(msgspec.Struct):
    """The first line of standard output; other fields are ignored."""

    backend: str


class Server:
    """A program in a process of its own, held to `core` if that is given; a context manager.

    Raises `ConfigurationError` with the last words of the program if it does not listen within
    `START_TIMEOUT_S`.
    """

    def __init__(
        self, program: Program, secret: str, *, core: int | None = None, pause_s: float = 0.0
    ) -> None:
        self.program = program
        self._files = tempfile.TemporaryDirectory(prefix="netra-ws-bench-")
        folder = Path(self._files.name)
        arguments = [sys.executable, "-P", *program.arguments]
        if program.name in {OURS.name, BEFORE.name}:
            limits = folder / "settings.json"
            limits.write_bytes(msgspec.json.encode(LIMITS))
            arguments += ["--settings", str(limits)]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=_environment(secret, pause_s, program.tree),
                start_new_session=True,  # Ctrl-C is for the benchmark, which ends its servers
                preexec_fn=partial(settle_child, core),
            )
        try:
            url = urlsplit(self._announced())
            assert url.hostname is not None
            assert url.port is not None
            self.address = url.hostname, url.port
            self.cpu = Clock(self._process.pid)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _announced(self) -> str:
        assert self._process.stdout is not None
        watchdog = threading.Timer(START_TIMEOUT_S, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        try:
            return msgspec.json.decode(line, type=_Announcement).backend
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.kill()
            said = (self.log() + line.decode(errors="replace")).strip().splitlines()
            why = said[-1] if said else "it said nothing"
            msg = f"{self.program.title} did not start: {why}"
            raise ConfigurationError(
                f"{msg}; in a clone of netra_ws: pip install '.[bench]'"
            ) from error

    def log(self) -> str:
        """Return what it wrote to its standard error so far; nothing after `stop`."""
        if not self._log.exists():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """End the process at once: it has nothing to lose; harmless when repeated."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """End the process and forget what it wrote; harmless when repeated."""
        self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._files.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _environment(secret: str, pause_s: float, tree: str) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NETRA_WS_", "BENCHMARK_")) and name != "TEST_ENVIRONMENT"
    }
    path = os.pathsep.join(filter(None, (tree, str(ROOT), os.environ.get("PYTHONPATH"))))
    return inherited | {"PYTHONPATH": path, SECRET: secret, PAUSE: str(pause_s)}

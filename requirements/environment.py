"""Make the environment of one Python and one lock; do nothing if it is there already.

    python3 requirements/environment.py .venv
    python3 requirements/environment.py .venv-old --with 'msgspec==0.22.*'
    python3 requirements/environment.py .venv-newest --resolution highest

The standard library is all that this file imports: it runs before anything is installed. Packages
are installed by uv, which takes seconds where pip takes minutes, with the settings that pip has on
this machine; where uv cannot do that, or fails, pip installs them. Both check every hash of the
lock. The project comes second and alone, because pip refuses a folder where hashes are asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import sources
from ending import end

try:
    import fcntl
except ModuleNotFoundError:  # Windows: two set-ups at once are not kept apart
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "dev.txt"
LOG = ROOT / "build" / "setup.log"
READY = ".ready"
LOCKED = "locked"
HASHED = ("--require-hashes", "--only-binary", ":all:", "--requirement")
PROJECT = ("--no-deps", "--no-build-isolation", "--no-index", "--editable", ".")
PIP = ("-I", "-m", "pip", "--disable-pip-version-check", "--no-input")


class SetUpFailed(Exception):
    """Raised when a step did not succeed; the one line that a person reads."""


class Progress:
    """What a person sees: a line a step, and how many of the packages are there."""

    def __init__(self, total: int, folder: Path) -> None:
        self._total, self._folder = total, folder
        self._is_shown = sys.stdout.isatty()

    def _count(self) -> int:
        return sum(1 for _ in self._folder.glob("lib*/python*/site-packages/*.dist-info"))

    @contextmanager
    def step(self, words: str, *, counted: bool = False) -> Iterator[None]:
        """Say what is done; redraw the line with the number of packages until it is."""
        print(words, end="" if counted and self._is_shown else "\n", flush=True)
        ended = threading.Event()
        succeeded = False

        def draw() -> None:
            while True:
                last = ended.wait(0.2)
                # The lock has lines for other platforms: of those here, all are there at the end.
                done = self._total if succeeded else min(self._count(), self._total - 1)
                bar = ("#" * (20 * done // self._total)).ljust(20, ".")
                end = "\n" if last else ""
                print(f"\r{words}  [{bar}] {done}/{self._total}", end=end, flush=True)
                if last:
                    return

        drawing = threading.Thread(target=draw) if counted and self._is_shown else None
        if drawing:
            drawing.start()
        try:
            yield
            succeeded = True
        finally:
            ended.set()
            if drawing:
                drawing.join()


def main() -> int:
    """Make the environment that is asked for; 0 when it is ready, 1 with one line when not."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("folder", type=Path, help="where the environment is, or will be")
    parser.add_argument("--with", default="", dest="extra", help="packages instead of locked ones")
    parser.add_argument(
        "--resolution",
        choices=[LOCKED, "highest", "lowest-direct"],
        default=LOCKED,
        help="which versions: those of the lock, or what uv calls by that name",
    )
    asked = parser.parse_args()
    folder = Path.cwd() / asked.folder
    key = describe(folder, asked.extra, asked.resolution)
    if is_ready(folder, key):
        return 0
    # Whoever ends make ends what it started: what is installing must not go on alone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        LOG.parent.mkdir(exist_ok=True)
        with one_at_a_time() as held:
            if is_ready(folder, key):
                return 0  # another set-up has made it meanwhile
            with LOG.open("w", encoding="utf-8") as log:
                SetUp(folder, log, held).make(asked.extra, asked.resolution)
            (folder / READY).write_text(key, encoding="utf-8")
    except (SetUpFailed, OSError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"{asked.folder} is not set up: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{asked.folder} is not set up: interrupted", file=sys.stderr)
        return 130
    return 0


def is_ready(folder: Path, key: str) -> bool:
    """Say whether the environment is there, whole, and made of what the key says."""
    try:
        marked = (folder / READY).read_text(encoding="utf-8")
    except OSError:
        return False
    return marked == key and Path(python_of(folder)).exists()


@contextmanager
def one_at_a_time() -> Iterator[int]:
    """Wait until no other set-up of this project is under way; yields the descriptor of the lock.

    A child that has it too keeps the lock for as long as it runs.
    """
    with (LOG.parent / "setup.lock").open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                print("Waiting for another set-up of this project", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def describe(folder: Path, extra: str, resolution: str) -> str:
    """Return what the environment is made of: where these words differ, another one is made."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    parts = {
        "python": f"{sys.version} {platform.machine()} {os.path.realpath(sys.executable)}",
        "folder": str(folder),  # its scripts hold that path: a copy of it would run the original
        "lock": hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        "project": repr((project["build-system"], project["project"])),
        "instead": f"{extra} {resolution}",
    }
    return "".join(f"{name}: {part}\n" for name, part in parts.items())


def split(extra: str) -> list[str]:
    """Return the packages that are named, quoted as in a shell. Raises SetUpFailed."""
    try:
        return shlex.split(extra)
    except ValueError as error:
        raise SetUpFailed(f"expected packages quoted as in a shell, got {extra}") from error


class SetUp:
    """One set-up; each step raises SetUpFailed, or OSError, and then none is marked ready."""

    def __init__(self, folder: Path, log: TextIO, held: int) -> None:
        self._folder, self._log, self._held = folder, log, held
        self._python = python_of(folder)
        self._settings: dict[str, str] = {}

    def make(self, extra: str, resolution: str) -> None:
        """Make the environment anew."""
        self._clear()
        progress = Progress(len(locked_lines()), self._folder)
        with progress.step(f"Making {self._folder.name} with Python {platform.python_version()}"):
            self._run([sys.executable, "-I", "-m", "venv", "--clear", str(self._folder)])
        self._settings = sources.pip_settings(self._configured())
        with progress.step(f"Installing the {resolution} packages", counted=True):
            self._install_packages(resolution)
        if extra:
            with progress.step(f"Installing {extra}"):
                self._install(split(extra))
        with progress.step("Installing the project"):
            self._pip(PROJECT)
        with progress.step("Building the font cache of matplotlib"):
            self._run([self._python, "-I", "-c", "import matplotlib.font_manager"])

    def _clear(self) -> None:
        """Make room, and touch nothing that is not this project's environment."""
        if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
            name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            msg = f"{sys.executable} has no module venv or ensurepip; on Debian: apt install {name}"
            raise SetUpFailed(msg)
        if self._folder.is_symlink():
            self._folder.unlink()  # what it leads to is somebody else's
        elif self._folder.is_file():
            raise SetUpFailed(f"expected a folder, {self._folder} is a file; move it away")
        (self._folder / READY).unlink(missing_ok=True)

    def _configured(self) -> str:
        """Return what pip is configured with on this machine."""
        done = subprocess.run(
            [self._python, *PIP, "config", "list"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def _install_packages(self, resolution: str) -> None:
        """Install uv from the lock, and with it everything else."""
        with tempfile.TemporaryDirectory() as temporary:
            own = Path(temporary) / "uv.txt"
            own.write_text(lines_of_uv(), encoding="utf-8")
            self._pip([*HASHED, str(own)])
        if resolution == LOCKED:
            self._install([*HASHED, str(LOCK.relative_to(ROOT))])
        elif not self._uv(["--resolution", resolution, "--editable", ".[dev]"]):
            raise SetUpFailed(why_it_failed())

    def _install(self, what: Sequence[str]) -> None:
        """Install with uv, or else with pip."""
        if not self._uv(what):
            self._pip(what)

    def _pip(self, what: Sequence[str]) -> None:
        command = [self._python, *PIP, "install", *what]
        self._run(command, sources.pip_environment(self._settings, os.environ))

    def _uv(self, what: Sequence[str]) -> bool:
        """Say whether uv installed it; raises if a file has another hash, as pip would."""
        environ = sources.uv_environment(self._settings, os.environ)
        if environ is None:
            print("pip has settings here that uv does not know: pip installs", file=self._log)
            return False
        own = ["--python", self._python, "--compile-bytecode"]  # as pip does
        try:
            self._run([self._python, "-I", "-m", "uv", "pip", "install", *own, *what], environ)
        except SetUpFailed as error:
            if "hash mismatch" in str(error).lower():
                raise
            return False
        return True

    def _run(self, command: list[str], environ: Mapping[str, str] = os.environ) -> None:
        """Run a command in the root of the project, its words into the log."""
        print("$", shlex.join(command), file=self._log, flush=True)
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=environ,
            check=False,
            pass_fds=(self._held,) if os.name == "posix" else (),
        )
        if done.returncode:
            raise SetUpFailed(why_it_failed())


def locked_lines() -> list[str]:
    """Return the first line of each package in the lock."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line[:1] not in {"", " ", "#"}]


def lines_of_uv() -> str:
    """Return what the lock says of uv alone."""
    found = re.search(r"^uv==.*(?:\n .*)*", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SetUpFailed(f"{LOCK} has no line for uv: make lock")
    return f"{found[0]}\n"


TELLING = (
    r"No space left",
    r"Hash mismatch|DO NOT MATCH THE HASHES",
    r"^\w*(?:Error|Exception): .",  # the end of a traceback
    r"(?i)^error: .*[^:]$",
    r"(?i)error\b",
)
"""What lines look like that say why something failed, the best first."""

UNREACHED = r"(?i)failed to (establish|resolve|connect|fetch)|connection|dns error|versions: none"


def why_it_failed() -> str:
    """Return the line of the log that says best why the last command failed, and what to do."""
    text = LOG.read_text(encoding="utf-8", errors="replace").rpartition("\n$ ")[2]
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    found = (line for words in TELLING for line in lines if re.search(words, line))
    line = next(found, (lines or ["it said nothing"])[-1])
    if re.search(UNREACHED, text):
        line = "the package index did not answer, or has not all of it; is there a network?"
    return f"{line.partition('. If you')[0]} (all of it: {os.path.relpath(LOG)})"


def python_of(folder: Path) -> str:
    """Return the path of the interpreter of an environment."""
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


if __name__ == "__main__":
    end(main)

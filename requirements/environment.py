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
import ast
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows: two set-ups at once are not kept apart
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "dev.txt"
LOG = ROOT / "build" / "setup.log"
READY = ".ready"
LOCKED = "locked"
HASHED = ("--require-hashes", "--only-binary", ":all:", "--requirement", str(LOCK))
PROJECT = ("--no-deps", "--no-build-isolation", "--no-index", "--editable", str(ROOT))
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")

UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
"""What uv calls a setting of pip's. Variables, because an address may hold a password."""

SEVERAL = {"extra-index-url": " ", "find-links": ",", "trusted-host": " "}
"""Settings of several values, with what uv puts between them."""

WITHOUT_EFFECT = {
    *("break-system-packages", "cache-dir", "constraint", "disable-pip-version-check"),
    *("no-cache-dir", "no-input", "no-warn-script-location", "progress-bar", "quiet"),
    *("require-virtualenv", "retries", "root-user-action", "verbose"),
}
"""Settings of pip's that change nothing here: a constraint, because it moves no locked version.
With any other that is set, pip installs."""


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
    if _read(folder / READY) == key and Path(python_of(folder)).exists():
        return 0
    try:
        LOG.parent.mkdir(exist_ok=True)
        with one_at_a_time():
            if _read(folder / READY) == key:
                return 0  # another set-up has made it meanwhile
            with LOG.open("w", encoding="utf-8") as log:
                make(folder, asked.extra, asked.resolution, log)
            (folder / READY).write_text(key, encoding="utf-8")
    except (SetUpFailed, OSError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        print(f"{asked.folder} is not set up: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{asked.folder} is not set up: interrupted", file=sys.stderr)
        return 130
    return 0


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other set-up of this project is under way."""
    with (LOG.parent / "setup.lock").open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                print("Waiting for another set-up of this project", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


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


def make(folder: Path, extra: str, resolution: str, log: TextIO) -> None:
    """Make the environment anew. Raises SetUpFailed, or OSError, and leaves none marked ready."""
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        msg = f"{sys.executable} has no module venv or ensurepip; on Debian: apt install {name}"
        raise SetUpFailed(msg)
    (folder / READY).unlink(missing_ok=True)
    progress = Progress(len(locked_lines()), folder)
    with progress.step(f"Making {folder.name} with Python {platform.python_version()}"):
        run([sys.executable, "-I", "-m", "venv", "--clear", str(folder)], log)
    with progress.step(f"Installing the {resolution} packages", counted=True):
        install_packages(folder, resolution, log)
    if extra:
        with progress.step(f"Installing {extra}"):
            install(folder, shlex.split(extra), log)
    with progress.step("Installing the project"):
        run([python_of(folder), "-I", *PIP, "install", *PROJECT], log)
    with progress.step("Building the font cache of matplotlib"):
        run([python_of(folder), "-I", "-c", "import matplotlib.font_manager"], log)


def install_packages(folder: Path, resolution: str, log: TextIO) -> None:
    """Install uv from the lock, and with it everything else."""
    with tempfile.TemporaryDirectory() as temporary:
        own = Path(temporary) / "uv.txt"
        own.write_text(lines_of_uv(), encoding="utf-8")
        hashed = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(own)]
        run([python_of(folder), "-I", *PIP, "install", "--no-user", *hashed], log)
    if resolution == LOCKED:
        install(folder, HASHED, log)
        return
    installed = install_with_uv(
        folder, ["--resolution", resolution, "--editable", f"{ROOT}[dev]"], log
    )
    if not installed:
        raise SetUpFailed(why_it_failed())


def install(folder: Path, what: Sequence[str], log: TextIO) -> None:
    """Install with uv, or else with pip. Raises SetUpFailed."""
    if not install_with_uv(folder, what, log):
        run([python_of(folder), "-I", *PIP, "install", "--no-user", *what], log)


def install_with_uv(folder: Path, what: Sequence[str], log: TextIO) -> bool:
    """Say whether uv installed it: not if pip has a setting here that uv does not know.

    Raises SetUpFailed if a file has another hash: pip would say no other.
    """
    python = python_of(folder)
    listed = subprocess.run(
        [python, "-I", "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    variables = uv_settings(listed.stdout, os.environ)
    if variables is None:
        print("pip has settings here that uv does not know: pip installs", file=log, flush=True)
        return False
    command = [python, "-I", "-m", "uv", "pip", "install", "--python", python, *what]
    try:
        run(command, log, {**os.environ, **variables})
    except SetUpFailed as error:
        if "hash mismatch" in str(error).lower():
            raise
        return False
    return True


def uv_settings(listed: str, environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return the variables that make uv do what `pip config list` says, None if there are none.

    pip merges its indexes and takes the best version of all, which uv does when it is told.
    """
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")  # pip's own
    if bundle and "SSL_CERT_FILE" not in environ:
        variables["SSL_CERT_FILE"] = bundle
    for line in listed.splitlines():
        match = re.fullmatch(r"(?P<where>.+?)\.(?P<name>[\w-]+)=(?P<value>.*)", line)
        if match is None:
            return None
        if match["where"] not in {"global", "install", ":env:"} or match["name"] in WITHOUT_EFFECT:
            continue
        if match["name"] not in UV_VARIABLES:
            return None
        value = str(ast.literal_eval(match["value"]))
        if match["name"] in SEVERAL:
            value = SEVERAL[match["name"]].join(value.split())
        variables[UV_VARIABLES[match["name"]]] = value
    return variables


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


def run(command: list[str], log: TextIO, environ: Mapping[str, str] = os.environ) -> None:
    """Run a command, its words into the log. Raises SetUpFailed with the one that says why."""
    print("$", shlex.join(command), file=log, flush=True)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, check=False
    )
    if done.returncode:
        raise SetUpFailed(why_it_failed())


def why_it_failed() -> str:
    """Return the line of the log that says best why the last command failed, and what to do."""
    text = LOG.read_text(encoding="utf-8", errors="replace").rpartition("\n$ ")[2]
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    telling = (r"No space left", r"Hash mismatch|DO NOT MATCH THE HASHES", r"(?i)error\b")
    found = (line for words in telling for line in lines if re.search(words, line))
    line = next(found, (lines or ["it said nothing"])[-1])
    if re.search(r"(?i)failed to (establish|resolve|connect|fetch)|connection|dns error", text):
        line = "no answer from the package index; is there a network?"
    return f"{line} (all of it: {os.path.relpath(LOG)})"


def python_of(folder: Path) -> str:
    """Return the path of the interpreter of an environment."""
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())

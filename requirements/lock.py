"""The lock: `make lock` renews it, `make lock-check` holds what is installed against it.

`dev.txt` is all that `make setup` installs, `serve.txt` what the backend alone needs, in the same
versions. Both are hashed requirements files, which every pip reads, and name no index.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from ending import end
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parent
DEV, SERVE = FOLDER / "dev.txt", FOLDER / "serve.txt"
UNLOCKED = {"netra-ws", "pip", "setuptools"}
"""The project itself, and what a new environment of Python's own brings."""

COMPILE = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11"),
    *("--fork-strategy=fewest", "--only-binary=:all:", "--generate-hashes", "--no-header"),
)


def read_lock(path: Path = DEV) -> list[Requirement]:
    """Return the lines of a lock, for every platform and Python, without their hashes."""
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = (line.removesuffix("\\") for line in lines if line and line[0] not in " #")
    return [Requirement(line) for line in starts]


def version_of(line: Requirement) -> str:
    """Return the one version of a line."""
    return str(line.specifier).removeprefix("==")


def locked_here(path: Path = DEV) -> dict[str, str]:
    """Return the version of each package whose marker holds for this Python on this platform."""
    return {
        canonicalize_name(line.name): version_of(line)
        for line in read_lock(path)
        if line.marker is None or line.marker.evaluate()
    }


def installed() -> dict[str, str]:
    """Return the version of each package in this environment."""
    return {canonicalize_name(found.name): found.version for found in distributions()}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return a line for each package that came, went or moved."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            lines.append(f"{name}: {old or 'none'} -> {new or 'none'}")
    return lines


def _everywhere(path: Path) -> dict[str, str]:
    """Return the versions of each package on all platforms, none where there is no lock yet."""
    versions: dict[str, list[str]] = {}
    for line in read_lock(path) if path.exists() else []:
        versions.setdefault(canonicalize_name(line.name), []).append(version_of(line))
    return {name: " and ".join(sorted(found)) for name, found in versions.items()}


def renew() -> int:
    """Compile both files anew with the newest versions, and print what moved."""
    before = _everywhere(DEV)
    project = FOLDER.parent
    for command in (
        [*COMPILE, "--upgrade", "--extra=dev", f"--output-file={DEV.relative_to(project)}"],
        [
            *(*COMPILE, "--upgrade", "--extra=serve", f"--constraint={DEV.relative_to(project)}"),
            f"--output-file={SERVE.relative_to(project)}",
        ],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command, "pyproject.toml"],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # it prints what it also writes
            check=False,
        )
        if done.returncode:
            print("the lock was not renewed: see above", file=sys.stderr)
            return 1
    print("\n".join(differences(before, _everywhere(DEV))) or "nothing moved")
    return 0


def check() -> int:
    """Print how this environment differs from the lock; 0 if it does not."""
    here = {name: found for name, found in installed().items() if name not in UNLOCKED}
    locked = {name: found for name, found in locked_here().items() if name not in UNLOCKED}
    lines = differences(locked, here)
    if lines:
        print("expected the locked versions, got others:", *lines, sep="\n  ", file=sys.stderr)
        print("make clean setup installs the locked ones", file=sys.stderr)
    return min(len(lines), 1)


def main() -> int:
    """Do what is asked for."""
    if sys.argv[1:] not in (["renew"], ["check"]):
        print("expected: lock.py renew|check", file=sys.stderr)
        return 1
    return renew() if sys.argv[1] == "renew" else check()


if __name__ == "__main__":
    end(main)

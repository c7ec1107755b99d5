"""Which Python belongs to the audited project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from await_audit.errors import AuditError

OLDEST = (3, 8)
"""The oldest version whose library the type checkers know."""

TIMEOUT_S = 20.0

ASK = """\
import json, sys
names = [*getattr(sys, "stdlib_module_names", ()), *sys.builtin_module_names]
print(*sys.version_info[:3], sep=".")
print(json.dumps([sys.path, names]))
"""
"""What a Python is asked: its version, where it looks for modules, and those of its library."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: where it is, why this one was taken, and its version such as `3.11.7`.

    `search_path` is where it looks for modules, `modules` are the names of its library.
    """

    path: Path
    source: str
    version: str
    search_path: tuple[Path, ...] = ()
    modules: frozenset[str] = frozenset()


def find_interpreter(
    path: Path, python: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Interpreter:
    """Find the Python of the project that `path` belongs to.

    The first of these: `python` as the user gave it, a name on PATH included; the virtual
    environment that VIRTUAL_ENV names; the nearest `.venv` beside or above `path`; the Python that
    runs this program. Each must start, or AuditError is raised: to go on with another one
    would resolve other imports than the project has.
    """
    if python is not None:
        found = shutil.which(python) if len(python.parts) == 1 else None
        chosen = Path(found) if found else python
        if chosen.is_dir():
            chosen = _inside(chosen)
        return _checked(chosen, "--python")
    if active := environment.get("VIRTUAL_ENV"):
        return _checked(_inside(Path(active)), "VIRTUAL_ENV")
    # os.path says no where a folder may not be entered; Path raises.
    start = path if os.path.isdir(path) else path.parent  # noqa: PTH112
    for folder in (start, *start.parents):
        if os.path.isfile(folder / ".venv" / "pyvenv.cfg"):  # noqa: PTH113
            return _checked(_inside(folder / ".venv"), f".venv of {folder.name or folder}")
    return _checked(Path(sys.executable), "the Python that runs netra-ws")


def _inside(environment: Path) -> Path:
    """Name the executable of a virtual environment, whether or not it is there."""
    windows = environment / "Scripts" / "python.exe"
    return windows if windows.exists() else environment / "bin" / "python"


def _checked(path: Path, source: str) -> Interpreter:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - a resolved link leaves its environment
    what = f"{source}: expected a Python interpreter at {path}"
    do = "give the project's own with --python"
    try:
        command = [str(path), "-I", "-c", ASK]
        run = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise AuditError(f"{what}, there is none; {do}") from error
    except OSError as error:
        raise AuditError(f"{what}, it did not start ({error.strerror}); {do}") from error
    except subprocess.TimeoutExpired as error:
        raise AuditError(f"{what}, it gave no answer in {TIMEOUT_S:g} s; {do}") from error
    version, _, rest = run.stdout.strip().partition("\n")
    try:
        numbers = tuple(int(part) for part in version.split("."))
        folders, modules = json.loads(rest) if numbers >= OLDEST else ((), ())
    except ValueError:
        numbers = ()
    if run.returncode or not numbers:
        said = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise AuditError(f"{what}, what is there failed ({said}); {do}")
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise AuditError(f"{what} of at least {oldest}, it is {version}; {do}")
    search_path = tuple(Path(folder) for folder in folders if folder)
    return Interpreter(path, source, version, search_path, frozenset(modules))

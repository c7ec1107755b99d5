"""A type checker as a program that is run once and answers in one document."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Mapping, Sequence

from await_audit.engines.known import failed
from await_audit.errors import AuditError


def version(name: str, install: str) -> str:
    """Return the version of a type checker; raises AuditError, with how to `install` it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        msg = f"{name} is not installed beside netra-ws; install it: {install}"
        raise AuditError(msg) from error


def run(
    name: str,
    arguments: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    timeout_s: float,
) -> subprocess.CompletedProcess[str]:
    """Run a type checker in `folder`. Raises AuditError if it does not start or is not done."""
    try:
        return subprocess.run(
            [sys.executable, "-m", name, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=folder,
            env=environment,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AuditError(f"{name} was not done after {timeout_s:g} s") from error
    except OSError as error:
        raise AuditError(f"{name} did not start: {error.strerror}") from error


def gave_up(name: str, installed: str, done: subprocess.CompletedProcess[str]) -> AuditError:
    """Return the error for a type checker that ended without an answer."""
    output = (done.stderr or done.stdout).strip()
    said = (output.splitlines() or ["it said nothing"])[-1].strip()
    return failed(name, installed, f"failed with exit code {done.returncode}: {said}")

"""A plugin of pytest: the value of `--tree` and of `--revision` is no path to collect.

These options come from a `conftest.py`. pytest chooses its configuration and its first
`conftest.py` before it knows them, and takes FOLDER of ``--tree FOLDER`` for a path to collect; it
does not take that of ``--tree=FOLDER``. So this starts pytest again with the second form.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

OPTIONS = ("--tree", "--revision")

IN_CHECKOUT = (Path(__file__).parents[1] / "pyproject.toml").is_file()
"""Whether this is the project, and not a package installed beside somebody else's tests."""


def joined(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with ``--tree=VALUE`` where they have ``--tree VALUE``."""
    result: list[str] = []
    for argument in arguments:
        is_value = bool(result) and result[-1] in OPTIONS and "--" not in result
        if is_value and not argument.startswith("-"):
            result[-1] += f"={argument}"
        else:
            result.append(argument)
    return result


# The outermost wrapper: pytest's own starts to capture what is written.
@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start pytest again if it took a value for a path; see `joined`."""
    given = [str(argument) for argument in early_config.invocation_params.args]
    added = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    if IN_CHECKOUT and (joined(given), joined(added)) != (given, added):
        environment = {**os.environ, "PYTEST_ADDOPTS": shlex.join(joined(added))}
        command = [sys.executable, "-P", "-m", "pytest", *joined(given)]
        if sys.platform == "win32":  # whose exec starts a new process and orphans it
            sys.exit(subprocess.call(command, env=environment))
        os.execve(command[0], command, environment)
    return (yield)

"""Failures, as lines that can be compared: those of tests, and those of a backend."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from netra_incident.proof.suite import Run


def failed_tests(run: Run) -> list[str]:
    """Return each test that did not pass, with the first line of its words."""
    return [
        f"test {test.name}: {(test.words or test.outcome).splitlines()[0]}"
        for test in run.not_passed()
    ]


def errors_seen(run: Run) -> list[str]:
    """Return the errors that tests saw where they did not pass, each once."""
    return sorted(
        {_read(error) for test in run.not_passed() for error in test.seen.get("error", ())}
    )


def errors_logged(log: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the errors in the log of a backend, each once, in the form of `errors_seen`."""
    errors = [line["error"] for line in log if "error" in line]
    return sorted(
        {_say(error["type"], error.get("function", ""), error.get("line", "")) for error in errors}
    )


def _read(error: str) -> str:
    parts = re.fullmatch(r"(\w+) at .+?:\d+ in (\S+): *(.*)", error)
    return _say(*parts.groups()) if parts else error


def _say(kind: str, function: str, line: str) -> str:
    # Without the number of the line: another commit on top may move it.
    place = f" in {function}: {line.strip()}" if function else ", outside the package"
    return f"{kind}{place}"

"""The Autobahn test suite against ``/ws/test`` of a real server: ``make conformance``.

`AUTOBAHN_WSTEST` names the suite's `wstest`, which needs Python 2.7. Its report is written below
``build/conformance``, with a page for each case. Exit codes: 0, no case failed but as documented;
1, one failed; 2, it could not be run.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import click

from netra_incident.history.deployment import deploy
from netra_ws.errors import ConfigurationError

TOOL = "AUTOBAHN_WSTEST"
BUILD = Path(__file__).parents[2] / "build" / "conformance"
AGENT = "netra_ws"
LIMIT_S = 300.0
"""Seconds for all cases: ten times what they take (measured: 27 s)."""

SETTINGS = {
    "max_message_bytes": 16 * 1024 * 1024,
    "max_event_bytes": 97 * 1024 * 1024,
    "retained_bytes": 194 * 1024 * 1024,
}
"""The largest message of group 9, and what else has to hold it."""

MAX_FRAGMENTS = 64 * 1024 + 1
"""Frames of one message: group 9 sends 4 MiB in frames of 64 bytes."""

NON_STRICT = "NON-STRICT"
"""The suite's word for what RFC 6455 allows and the suite advises against."""

EARLY = "the error ends the connection before the message in front of it is echoed"
LATE = "bytes that are not UTF-8 are found when their message is complete"

DOCUMENTED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("3.2", "3.3", "4.1.3", "4.1.4", "4.2.3", "4.2.4", "5.15"), (NON_STRICT, EARLY)
    ),
    **dict.fromkeys(("6.4.1", "6.4.2", "6.4.3", "6.4.4"), (NON_STRICT, LATE)),
    "7.1.5": ("FAILED", "a close frame within a fragmented message is answered with 1002"),
}
"""The results that websockets documents for itself, in its ``compliance/README.rst``, and why."""

COMPRESSION = {"12", "13"}
"""Groups of an extension that this server does not offer."""

RESULTS = ("OK", NON_STRICT, "INFORMATIONAL", "UNIMPLEMENTED", "FAILED")


class Case(NamedTuple):
    """How one case ended: what was sent back, and how the connection was closed."""

    number: str
    behavior: str
    close: str

    @property
    def group(self) -> str:
        return self.number.partition(".")[0]

    @property
    def result(self) -> str:
        """One of `RESULTS`; whatever else the suite says is a failure."""
        if self.close not in {"OK", "INFORMATIONAL"}:
            return "FAILED"
        return self.behavior if self.behavior in RESULTS else "FAILED"

    @property
    def expected(self) -> bool:
        """Whether it conforms to RFC 6455, or fails as documented.

        Non-strict conforms, and takes turns with passed where it depends on which bytes arrive
        together: 3.4, 4.1.5 or 4.2.5 were non-strict in seven runs of fourteen.
        """
        allowed = {"OK", NON_STRICT, "INFORMATIONAL", DOCUMENTED.get(self.number, ("OK", ""))[0]}
        if self.group in COMPRESSION:
            allowed = {"OK", "UNIMPLEMENTED"}
        return self.result in allowed


class Report(NamedTuple):
    """What `wstest` has written, which cases it has left out, and what failed in the server."""

    cases: tuple[Case, ...]
    missing: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """What is not as expected; nothing if the server conforms."""
        found = [
            f"{case.number}: {case.behavior}, closed {case.close}"
            for case in self.cases
            if not case.expected
        ]
        found += [f"{number}: was not run" for number in self.missing]
        found += [f"the server logged an error: {error}" for error in self.errors]
        return found if self.cases else ["no case was run"]

    def table(self) -> str:
        """Return how many cases of each group came to each result."""
        counts = Counter((case.group, case.result) for case in self.cases)
        groups = sorted({case.group for case in self.cases}, key=int)
        heads = ("group", "cases", *(result.lower() for result in RESULTS))
        rows = [(group, [counts[group, result] for result in RESULTS]) for group in groups]
        rows.append(
            ("all", [sum(column) for column in zip(*(row for _, row in rows), strict=True)])
        )
        lines = [heads, *((name, str(sum(row)), *map(str, row)) for name, row in rows)]
        return "\n".join(
            "".join(f"{cell:>{len(head) + 2}}" for head, cell in zip(heads, line, strict=True))
            for line in lines
        )


def read_report(index: bytes, said: str, log: Iterable[Mapping[str, Any]]) -> Report:
    """Return the report of ``index.json``, of what `wstest` printed and of the server's log.

    It ends with 0 whatever happened, even if there is no server; so the cases that it announced are
    compared with those that it ran. Raises `ConfigurationError` if it announced none.
    """
    announced = re.search(r"^Cases = \[(.+)\]$", said, re.MULTILINE)
    if announced is None:
        last = (said.strip().splitlines() or ["nothing"])[-1]
        raise ConfigurationError(f"expected {TOOL} to name its cases, it said: {last}")
    results = json.loads(index).get(AGENT, {})
    cases = tuple(
        Case(number, result["behavior"], result["behaviorClose"])
        for number, result in results.items()
    )
    planned = re.findall(r"[\d.]+", announced[1])
    missing = tuple(number for number in planned if number not in results)
    errors = (str(line["event"]) for line in log if line["level"] in {"error", "critical"})
    return Report(cases, missing, tuple(errors))


def find_tool(environ: Mapping[str, str]) -> str:
    """Return the `wstest` to run; raises `ConfigurationError` if there is none."""
    name = environ.get(TOOL)
    if not name:
        msg = f"{TOOL} is not set: pip install autobahntestsuite in a Python 2.7, and"
        raise ConfigurationError(f"{msg} set {TOOL} to the path of its wstest")
    tool = shutil.which(name)
    if tool is None:
        raise ConfigurationError(f"{TOOL}={name}: expected a program that can be run")
    return tool


def run_suite(tool: str, build: Path) -> Report:
    """Run every case on a server of its own; raises `ConfigurationError` if that cannot be done."""
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    settings, spec = build / "settings.json", build / "spec.json"
    settings.write_text(json.dumps(SETTINGS))
    os.environ["WEBSOCKETS_MAX_FRAGMENTS"] = str(MAX_FRAGMENTS)
    # A path for this Python would be one for that of the suite, too.
    environment = {name: it for name, it in os.environ.items() if not name.startswith("PYTHON")}
    with deploy(None, "--settings", str(settings), users=1) as server:
        url = f"{server.backend.replace('http', 'ws', 1)}/ws/test"
        plan = {"outdir": str(build), "servers": [{"agent": AGENT, "url": url}], "cases": ["*"]}
        spec.write_text(json.dumps({**plan, "exclude-cases": [], "exclude-agent-cases": {}}))
        try:
            said = subprocess.run(
                [tool, "--mode", "fuzzingclient", "--spec", spec],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
            ).stdout.decode(errors="replace")
        except OSError as error:
            raise ConfigurationError(f"{TOOL}={tool}: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            raise ConfigurationError(f"{tool} took more than {LIMIT_S:g} s") from None
        log = server.log()
    (build / "wstest.log").write_text(said)
    index = build / "index.json"
    return read_report(index.read_bytes() if index.exists() else b"{}", said, log)


def versions(tool: str) -> str:
    """Return what was tested with what."""
    asked = subprocess.run(
        [tool, "--autobahnversion"], capture_output=True, text=True, timeout=LIMIT_S
    )
    parts = [f"Python {platform.python_version()}"]
    for package in ("netra_ws", "websockets", "uvloop"):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"no {package}")
    return ", ".join([*parts, *asked.stdout.split("\n")]).strip(", ")


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run the suite, print what it found, and return the exit code."""
    try:
        tool = find_tool(environ)
        report = run_suite(tool, BUILD)
    except ConfigurationError as error:
        click.echo(f"conformance: {error}", err=True)
        return error.exit_code
    click.echo(f"{versions(tool)}\n\n{report.table()}\n")
    deviations: dict[str, list[str]] = {}
    for case in report.cases:
        if case.result in {NON_STRICT, "FAILED"} and case.expected:
            documented, why = DOCUMENTED.get(case.number, ("", ""))
            reason = f"as documented: {why}" if documented == case.result else "not documented"
            deviations.setdefault(f"{case.result.lower()}, {reason}", []).append(case.number)
    for words, numbers in deviations.items():
        click.echo(f"{words}: {', '.join(numbers)}")
    for problem in report.problems:
        click.echo(f"PROBLEM {problem}")
    click.echo(f"\nreport: {os.path.relpath(BUILD / 'index.html')}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())

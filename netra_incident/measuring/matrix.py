"""Which tool would have seen it: each one is run on the bug in miniature, for real.

A tool has seen a superfluous await if it says, of that line, that what is awaited is not awaitable;
what else it says of the line does not count. Each is run with its own defaults or with what its
name says, and never with the configuration of whoever runs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from await_audit.errors import AuditError
from netra_incident.measuring.miniature import CALLERS_FILES, MINIATURES, WRONG, write
from netra_incident.table import Table

TIMEOUT_S = 60.0
AT_A_TIME = 2

NOT_AWAITABLE = (
    r"(?i)not awaitable|not-async|invalid-await|incompatible types in \"await\"|await-sync"
)
UNRESOLVED = (
    r"(?i)cannot find module|cannot find implementation|cannot resolve import|import-error"
    r"|could not be resolved|not resolved"
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool and how it is run: `arguments` of ``python -m module``, on all callers at once.

    With an exit code up to `judged` it has done its work, whatever it found.
    """

    name: str
    package: str
    module: str
    arguments: tuple[str, ...]
    judged: int = 1


TOOLS = (
    Tool("netra-ws audit", "netra_ws", "netra_incident", ("audit", "--output-format=github"), 2),
    Tool(
        "pyrefly --preset=default",
        "pyrefly",
        "pyrefly",
        ("check", "--preset=default", "--search-path=.", "--output-format=min-text"),
    ),
    Tool("pyright", "pyright", "pyright", ()),
    Tool("ty", "ty", "ty", ("check", "--output-format=concise", "--python=" + sys.prefix)),
    Tool(
        "mypy --strict", "mypy", "mypy", ("--config-file=", f"--cache-dir={os.devnull}", "--strict")
    ),
    Tool("mypy", "mypy", "mypy", ("--config-file=", f"--cache-dir={os.devnull}")),
    Tool(
        "pyrefly",
        "pyrefly",
        "pyrefly",
        ("check", "--search-path=.", "--output-format=min-text"),
    ),
    Tool("pylint, all on", "pylint", "pylint", (f"--rcfile={os.devnull}", "--enable=all"), 31),
    Tool(
        "ruff, all rules",
        "ruff",
        "ruff",
        ("check", "--isolated", "--select=ALL", "--preview", "--output-format=concise"),
    ),
    Tool("flake8-async", "flake8-async", "flake8", ("--isolated",)),
)
"""In the order in which the table shows them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool said of one miniature: superfluous awaits that it `found`, and `false` ones.

    `says_why`: whether it told that an import is not resolved, so that silence is no all-clear.
    """

    found: int
    false: int
    says_why: bool

    def __str__(self) -> str:
        """``found/of``, with what is said instead."""
        said = ", says why" if self.says_why and not self.found else ""
        return f"{self.found}/{len(WRONG)}{said}"


@dataclass(frozen=True, slots=True)
class Row:
    """A tool with its version and time, seconds for all miniatures; `None` if not installed."""

    tool: str
    version: str | None
    seconds: float | None
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All tools by all miniatures. Printed it has no version or time, which no two runs share."""

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        """Return the table."""
        rows: list[tuple[str, ...]] = []
        for row in self.rows:
            if row.version is None:
                rows.append((row.tool, *("not installed" for _ in MINIATURES), "-"))
            else:
                false = sum(outcome.false for outcome in row.outcomes)
                rows.append((row.tool, *map(str, row.outcomes), str(false)))
        return repr(Table(("", *MINIATURES, "false"), rows))


def _read(output: str, file: str) -> Outcome:
    """Return what the lines of a tool's output, ``file:line: …``, say of one of the callers."""
    seen: set[int] = set()
    says_why = False
    for line in output.splitlines():
        place = re.search(rf"{re.escape(file)}(?::|,line=)(\d+)", line)
        if place:
            says_why = says_why or bool(re.search(UNRESOLVED, line))
            if re.search(NOT_AWAITABLE, line):
                seen.add(int(place[1]))
    return Outcome(len(seen & WRONG), len(seen - WRONG), says_why)


def _environment(scratch: Path) -> dict[str, str]:
    """Return an environment in which no tool finds its user's wishes, colours among them."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "TMPDIR": str(scratch), "PYLINTHOME": str(scratch), "NO_COLOR": "1"}


def _row(tool: Tool, sources: Path, scratch: Path) -> Row:
    try:
        installed = version(tool.package)
    except PackageNotFoundError:
        return Row(tool.name, None, None, ())
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-m", tool.module, *tool.arguments, *CALLERS_FILES],
        cwd=sources,
        env=_environment(scratch),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    seconds = time.perf_counter() - began
    if not 0 <= done.returncode <= tool.judged:
        msg = (
            f"{tool.name}: expected an exit code up to {tool.judged}, got {done.returncode}: "
            f"{(done.stderr or done.stdout).strip().rpartition(chr(10))[2]}"
        )
        raise AuditError(msg)
    output = done.stdout + done.stderr
    return Row(tool.name, installed, seconds, tuple(_read(output, file) for file in CALLERS_FILES))


def measure_matrix(tools: Iterable[Tool] = TOOLS) -> Matrix:
    """Run each tool on the miniatures, `AT_A_TIME` of them at a time.

    Raises `AuditError` if one does not do its work, `subprocess.TimeoutExpired` if it takes
    longer than `TIMEOUT_S`.
    """
    with TemporaryDirectory() as folder, ThreadPoolExecutor(AT_A_TIME) as pool:
        sources, scratch = Path(folder, "sources"), Path(folder, "scratch")
        sources.mkdir()
        scratch.mkdir()
        write(sources)
        return Matrix(tuple(pool.map(lambda tool: _row(tool, sources, scratch), tools)))

"""What an audit found, and what it could not judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """The two ways of getting the colour of a call wrong."""

    AWAIT_SYNC = "await-sync"
    """Something is awaited that is not awaitable: `TypeError` when the line runs."""
    UNAWAITED = "unawaited"
    """A coroutine is made that nobody awaits: its body never runs."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of source, as LibCST counts: lines from 1, columns in code points from 0.

    The end is the position after the last character.
    """

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Definition:
    """Where a callee is defined, and what kind of thing is defined there.

    `why` finishes the sentence "it is not awaitable because …" and names no path.
    """

    path: Path
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One wrong place.

    `span` is the whole expression that is wrong: `await f()` with its `await`, the `async with`
    item, the dropped call. `rule` names the check in lower-case words with hyphens, such as
    `await-of-non-awaitable`. `engines` are those that reported it; a check of our own is `own`.
    `certain` says that the operand cannot be awaitable: no union, no unknown type, no other
    colour in a subclass. Only what is certain may be mended.
    """

    path: Path
    span: Span
    kind: Kind
    rule: str
    message: str
    engines: tuple[str, ...]
    certain: bool = False
    operand: Span | None = None
    operand_type: str | None = None
    definition: Definition | None = None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What could not be judged, so that it is never taken for clean."""

    path: Path
    line: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one audit: findings and unjudged places in order of path and line.

    `ignored_by_git` is how many Python files were left out because git ignores them,
    `guarded_imports` how many imports were not resolved that may fail: their program knows it.
    """

    root: Path
    interpreter: Path
    interpreter_source: str
    engines: tuple[tuple[str, str], ...]
    files: tuple[Path, ...]
    findings: tuple[Finding, ...]
    unjudged: tuple[Unjudged, ...]
    unused_ignores: tuple[Unjudged, ...] = ()
    ignored_by_git: int = 0
    guarded_imports: int = 0

    @property
    def exit_code(self) -> int:
        """0 clean, 1 findings, 2 no finding but something could not be judged."""
        return 1 if self.findings else 0 if self.is_whole else 2

    @property
    def is_whole(self) -> bool:
        """Whether everything was judged, and each ignore silences something."""
        return not (self.unjudged or self.unused_ignores)

"""`# netra: ignore[await-sync]`: a line that its author answers for."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from await_audit.finding import Finding, Kind, Unjudged
from await_audit.source import Text

MARK = b"netra:"
"""What a file must contain for its comments to be looked at."""

KINDS = sorted(kind.value for kind in Kind)

COMMENT = re.compile(r"#\s*netra:\s*ignore(?:\[(?P<kinds>[^\]]*)\])?")


@dataclass(frozen=True, slots=True)
class Ignore:
    """A comment that silences findings of some kinds in its line."""

    path: Path
    line: int
    kinds: frozenset[Kind]


def find_ignores(path: Path, text: Text) -> Iterator[Ignore | Unjudged]:
    """Yield the ignores of a file, and as Unjudged what is wrong with one."""
    for line, named in _marks(text):
        known = [name for name in named if name in KINDS]
        for why in _faults(named):
            yield Unjudged(path, line, why)
        if known:
            yield Ignore(path, line, frozenset(map(Kind, known)))


def _marks(text: Text) -> Iterator[tuple[int, list[str]]]:
    """Yield the line of each mark and the names in it; none if the file has a syntax error."""
    # One line end for all, so that the lines that tokenize counts are those of Text.
    lines = (text.line(number) + "\n" for number in range(1, len(text.starts) + 1))
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO("".join(lines)).readline))
    except (tokenize.TokenError, SyntaxError):
        return  # said by the type checker already
    for token in tokens:
        if token.type == tokenize.COMMENT and (match := COMMENT.search(token.string)):
            names = (name.strip() for name in (match["kinds"] or "").split(","))
            yield token.start[0], [name for name in names if name]


def _faults(named: list[str]) -> Iterator[str]:
    expected = ", ".join(KINDS)
    if not named:
        yield f"this ignore names no kind; write # netra: ignore[{expected}] or one of them"
    for name in named:
        if name not in KINDS:
            yield f"this ignore names {name!r}, expected one of {expected}"


def apply_ignores(
    findings: Iterable[Finding], ignores: Iterable[Ignore]
) -> tuple[list[Finding], list[Unjudged]]:
    """Take out the findings that are silenced, and name the ignores that silenced none.

    A finding of several lines is silenced in any of them.
    """
    used: set[tuple[Ignore, Kind]] = set()
    asked: dict[tuple[Path, int], list[Ignore]] = {}
    for ignore in ignores:
        asked.setdefault((ignore.path, ignore.line), []).append(ignore)
    left = []
    for finding in findings:
        lines = range(finding.span.line, finding.span.end_line + 1) if asked else ()
        here = {
            (ignore, finding.kind)
            for line in lines
            for ignore in asked.get((finding.path, line), ())
            if finding.kind in ignore.kinds
        }
        used |= here
        if not here:
            left.append(finding)
    unused = [
        Unjudged(ignore.path, ignore.line, f"this ignore[{kind}] silences nothing; take it out")
        for group in asked.values()
        for ignore in group
        for kind in sorted(ignore.kinds)
        if (ignore, kind) not in used
    ]
    return left, unused

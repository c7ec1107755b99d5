"""``netra-ws audit --since REV``: whose colour changed, and which callers were left behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from await_audit.drift import Caller, Drift, Flip, drift
from await_audit.report import count, json_line, printable, relative, workflow_command
from await_audit.sarif import document, location, result

Lines = Iterator[tuple[bool, str]]
"""Lines of an output: whether a line is a result, which goes to standard output, and its text."""


def show_drift(paths: Sequence[Path], since: str, output_format: str) -> int:
    """Print the drift since a revision and return the exit code.

    `output_format` is ``full``, ``json-lines``, ``github`` or ``sarif``. But for the first,
    standard output holds the callers left behind alone, in the form of the audit's findings, or
    what GitHub shows; everything else is said on standard error.
    Raises `AuditError` as `drift` does.
    """
    found = drift(paths, since)
    for is_result, line in FORMATS[output_format](found):
        click.echo(printable(line), file=sys.stdout if is_result else sys.stderr)
    return found.exit_code


def _full(found: Drift) -> Lines:
    for flip in found.flips:
        yield True, _flip(flip)
        for caller in flip.left_behind:
            yield True, _caller(flip, caller)
    if any(flip.possible for flip in found.flips):
        yield True, "possible, not certain (they do not count):"
    for flip in found.flips:
        for caller in flip.possible:
            yield True, _caller(flip, caller)
    yield from _unjudged(found)
    yield True, _summary(found)


def _json_lines(found: Drift) -> Lines:
    for flip in found.flips:
        yield False, _flip(flip)
        for caller in flip.left_behind:
            record = {
                "file": _relative(caller.path),
                "line": caller.line,
                "end_line": caller.end_line,
                "kind": flip.kind.value,
                "rule": RULE,
                "message": _message(flip, caller),
            }
            yield True, json_line(record)
        for caller in flip.possible:
            yield False, f"possible: {_caller(flip, caller)}"
    yield from _unjudged(found)
    yield False, _summary(found)


def _github(found: Drift) -> Lines:
    for flip in found.flips:
        yield True, _annotation("notice", flip.path, flip.line, _changed(flip))
        for caller in flip.left_behind:
            yield True, _annotation("error", caller.path, caller.line, _message(flip, caller))
        for caller in flip.possible:
            message = f"possible: {_message(flip, caller)}"
            yield True, _annotation("warning", caller.path, caller.line, message)
    for one in found.unjudged:
        yield True, _annotation("warning", one.path, one.line or 1, f"not judged: {one.why}")
    yield False, _summary(found)


def _sarif(found: Drift) -> Lines:
    folder = Path.cwd().resolve()
    results = []
    for flip in found.flips:
        yield False, _flip(flip)
        changed = location(flip.path, folder, flip.line, why=_changed(flip))
        for level, callers in (("error", flip.left_behind), ("note", flip.possible)):
            for caller in callers:
                where = location(caller.path, folder, caller.line)
                words = _message(flip, caller)
                results.append(result(flip.kind, RULE, words, where, [changed], level))
    yield True, document(results, found.unjudged, folder, found.exit_code)
    yield from _unjudged(found)
    yield False, _summary(found)


RULE = "colour-drift"

FORMATS: dict[str, Callable[[Drift], Lines]] = {
    "full": _full,
    "json-lines": _json_lines,
    "github": _github,
    "sarif": _sarif,
}


def _flip(flip: Flip) -> str:
    return f"{_relative(flip.path)}:{flip.line}: {_changed(flip)}"


def _changed(flip: Flip) -> str:
    return f"{flip.qualname}: {flip.was} became {flip.now} {flip.since}"


def _caller(flip: Flip, caller: Caller) -> str:
    return f"{_relative(caller.path)}:{caller.line}: {_message(flip, caller)}"


def _message(flip: Flip, caller: Caller) -> str:
    return f"{caller.how}, which became {flip.now} {flip.since}"


def _unjudged(found: Drift) -> Lines:
    for one in found.unjudged:
        place = f"{_relative(one.path)}:{one.line}" if one.line else _relative(one.path)
        yield False, f"{place}: not judged: {one.why}"


def _summary(found: Drift) -> str:
    flips = len(found.flips)
    left = sum(len(flip.left_behind) for flip in found.flips)
    possible = sum(len(flip.possible) for flip in found.flips)
    ignored = found.ignored_by_git
    parts = [
        f"since {found.since} ({found.base.id}): {count(flips, 'function')} changed colour",
        f"{count(left, 'caller')} left behind",
        *([f"{possible} possible"] if possible else []),
        *([f"{count(len(found.unjudged), 'file')} not judged"] if found.unjudged else []),
        *([f"{count(ignored, 'file')} left out, which git ignores"] if ignored else []),
    ]
    return ", ".join(parts)


def _relative(path: Path) -> str:
    return relative(path, Path.cwd().resolve())


def _annotation(level: str, path: Path, line: int, message: str) -> str:
    return workflow_command(level, {"file": _relative(path), "line": str(line)}, message)

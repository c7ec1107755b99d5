"""Mend a report's mechanical findings in copies, and judge the copies before anything is written.

A superfluous `await` hides others: of what it gives a type checker knows nothing, so that
`await m.f()` behind `m = await get()` shows only once the first is gone. So each file is edited and
judged in turn until nothing mechanical is left in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from await_audit.audit import audit
from await_audit.editing.edits import AWAIT_RULE, Edited, Left, edit
from await_audit.engines import Engine, pyright
from await_audit.engines.mirror import Mirror, mirrored
from await_audit.errors import AuditError
from await_audit.finding import Finding, Kind, Report, Span, Unjudged
from await_audit.search_path import search_path
from await_audit.source import decode

Placed = TypeVar("Placed", Finding, Unjudged)


@dataclass(frozen=True, slots=True)
class FileFix:
    """What becomes of one file: its bytes before and after.

    `removed` counts the `await`s that are taken out. `left` are the findings that stay, with their
    places in `after`.
    """

    path: Path
    before: bytes
    after: bytes
    removed: int
    left: tuple[Left, ...]

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.after != self.before


def propose(report: Report) -> list[FileFix]:
    """Edit what is mechanical in the files of `report`, and judge each edited file again.

    Nothing is written but copies in a temporary folder. Returns one FileFix for each file with a
    finding, in the order of their paths. An edit is given up if with it a type checker complains
    of what stands at its place now; all new edits of a file are given up if it shows a coroutine
    that nobody awaits and did not before, or can no longer be judged as it was. Raises
    AuditError if a file cannot be read or a type checker fails.
    """
    attempts = [
        _Attempt(path, before := _read(path), before, tuple(found))
        for path, found in groupby(report.findings, key=lambda finding: finding.path)
    ]
    while any(attempt.edited.cuts for attempt in attempts):
        changed = [attempt for attempt in attempts if attempt.edited.data != attempt.before]
        judged = _judge(report, {attempt.path: attempt.edited.data for attempt in changed})
        for attempt in changed:
            attempt.take(report, judged)
    return [attempt.outcome() for attempt in attempts]


@dataclass(slots=True)
class _Attempt:
    """One file on its way: `data` and its `findings` are good, `edited` is what is tried next."""

    path: Path
    before: bytes
    data: bytes
    findings: tuple[Finding, ...]
    vetoes: dict[Span, str] = field(default_factory=dict)
    removed: int = 0
    edited: Edited = field(init=False)

    def __post_init__(self) -> None:
        self._edit()

    def _edit(self) -> None:
        """Try without the `await`s that are mechanical."""
        self.edited = edit(self.data, self.findings, self.vetoes)

    def take(self, report: Report, judged: Report) -> None:
        """Keep the edit if it was judged well, and otherwise remember what not to try again."""
        edited, findings = self.edited, tuple(_of(self.path, judged.findings))
        new = self.new_findings(findings)
        vetoes = {
            removed.span: f"without the `await`, {finding.message}"
            for finding in new
            if finding.rule != AWAIT_RULE
            for removed in edited.removed
            if _covers(finding.span, edited.moved(removed.span))
        }
        worse = None if vetoes else self._worse(report, judged, new)
        if worse:
            vetoes = dict.fromkeys((one.span for one in edited.removed), worse)
        if vetoes:
            self.vetoes |= vetoes
        elif not edited.cuts and findings == self.findings:
            return
        else:
            self.data, self.findings = edited.data, findings
            self.removed += len(edited.cuts)
            self.vetoes = {edited.moved(span): why for span, why in self.vetoes.items()}
        self._edit()

    def new_findings(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return those that were not there, at their place, before the edit."""
        found = [left.finding for left in self.edited.left]
        known = {(one.kind, one.rule, self.edited.moved(one.span)) for one in found}
        return [one for one in findings if (one.kind, one.rule, one.span) not in known]

    def _worse(self, report: Report, judged: Report, new: Iterable[Finding]) -> str | None:
        what = "taking the `await`s out of the file was given up: then"
        for finding in new:
            if finding.kind is Kind.UNAWAITED:
                return f"{what} {finding.message} (line {finding.span.line})"
        before = Counter(place.why for place in _of(self.path, report.unjudged))
        after = Counter(place.why for place in _of(self.path, judged.unjudged))
        return next((f"{what} {why}" for why in after - before), None)

    def outcome(self) -> FileFix:
        """Return what became of the file."""
        return FileFix(self.path, self.before, self.data, self.removed, self.edited.left)


def _judge(report: Report, copies: Mapping[Path, bytes]) -> Report:
    """Judge `copies`; the paths of the outcome are those of the originals."""
    imports = search_path(report.root, report.files)
    second = any(name == pyright.NAME for name, _ in report.engines)
    texts = {path: decode(data)[0] for path, data in copies.items()}
    with mirrored(texts, imports) as mirror:
        for path, data in copies.items():
            mirror.inside(path).write_bytes(data)  # in its own encoding, as its coding line says
        judged = audit(
            [mirror.inside(path) for path in copies],
            python=report.interpreter,
            engine=Engine.BOTH if second else Engine.PYREFLY,
            root=report.root,
            imports=[mirror.inside(path) for path in imports],
            mirror=mirror,
        )
    return _outside(judged, mirror)


def _outside(judged: Report, mirror: Mirror) -> Report:
    """Name the files by which the copies are, and not the copies."""
    findings = [replace(one, path=mirror.outside(one.path)) for one in judged.findings]
    unjudged = [replace(one, path=mirror.outside(one.path)) for one in judged.unjudged]
    return replace(judged, findings=tuple(findings), unjudged=tuple(unjudged))


def _of(path: Path, things: Iterable[Placed]) -> Iterator[Placed]:
    return (thing for thing in things if thing.path == path)


def _covers(outer: Span, inner: Span) -> bool:
    start, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return start <= (inner.line, inner.column) < end


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}") from error

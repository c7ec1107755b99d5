"""How much the audit finds of what the cases show, what it finds wrongly, what the fix mends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from colour_cases import CASES, Mark, case_files, marks

from await_audit.audit import audit
from await_audit.editing.fix import FileFix, propose
from await_audit.finding import Finding, Kind, Report


@dataclass
class Judged:
    """One audit of all cases, and one fix of what it found."""

    report: Report
    fixes: list[FileFix]
    cases: int

    @cached_property
    def expected(self) -> list[Mark]:
        return [mark for path in case_files() for mark in marks(path)]

    def found(self, mark: Mark) -> list[Finding]:
        return [one for one in self.report.findings if is_of(one, mark)]

    def share(self, kind: Kind) -> tuple[int, int]:
        """Return how many marks of a kind are found, and how many there are."""
        of_kind = [mark for mark in self.expected if mark.kind == kind]
        found = sum(min(mark.times, len(self.found(mark))) for mark in of_kind)
        return found, sum(mark.times for mark in of_kind)

    @property
    def false(self) -> list[Finding]:
        """What is found where nothing is marked."""
        return [
            one
            for one in self.report.findings
            if not any(is_of(one, mark) for mark in self.expected)
        ]

    @property
    def mechanical(self) -> list[Mark]:
        """What can be mended mechanically."""
        return [mark for mark in self.expected if mark.fix == "mechanical"]

    @property
    def mended(self) -> set[tuple[Path, int]]:
        """The lines that the fix changed."""
        return {(fix.path, line) for fix in self.fixes for line in changed(fix)}

    def rows(self) -> list[tuple[str, str, str]]:
        """Return what was found or mended, and what wrongly, by kind."""
        awaits, unawaited = self.share(Kind.AWAIT_SYNC), self.share(Kind.UNAWAITED)
        done = sum(bool(lines(mark) & self.mended) for mark in self.mechanical)
        right = {place for mark in self.mechanical for place in lines(mark)}
        false = {kind: sum(one.kind is kind for one in self.false) for kind in Kind}
        return [
            ("superfluous awaits", _of(awaits), str(false[Kind.AWAIT_SYNC])),
            ("coroutines that nobody awaits", _of(unawaited), str(false[Kind.UNAWAITED])),
            (
                "mechanical fixes",
                _of((done, len(self.mechanical))),
                str(len(self.mended - right)),
            ),
        ]


def _of(share: tuple[int, int]) -> str:
    return f"{share[0]} of {share[1]}"


def judge() -> Judged:
    """Audit all cases."""
    report = audit([CASES], root=CASES)
    return Judged(report, propose(report), len(case_files()))


def is_of(finding: Finding, mark: Mark) -> bool:
    """Say whether a finding is what a mark expects."""
    span = range(finding.span.line, finding.span.end_line + 1)
    return (finding.path, finding.kind) == (mark.path, mark.kind) and any(
        mark.line <= line <= mark.end_line for line in span
    )


def lines(mark: Mark) -> set[tuple[Path, int]]:
    """Return the lines of a mark."""
    return {(mark.path, line) for line in range(mark.line, mark.end_line + 1)}


def changed(fix: FileFix) -> set[int]:
    """Return the numbers of the lines that a fix changed."""
    before, after = fix.before.splitlines(), fix.after.splitlines()
    assert len(before) == len(after)
    return {at for at, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]}

"""The outcome of an audit as text: for people, for programs, and for GitHub's annotations."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from rich.text import Text as Styled

from await_audit.finding import Finding, Report, Unjudged
from await_audit.source import Text, UndecodableError

LONGEST_EXCERPT = 5
"""So many lines of a finding are shown; of a longer one the first."""


class OutputFormat(StrEnum):
    """How a report is written."""

    FULL = "full"
    JSON_LINES = "json-lines"
    GITHUB = "github"
    SARIF = "sarif"


def relative(path: Path, folder: Path) -> str:
    """Write a path as seen from a folder: POSIX, no `./`; absolute where there is no way."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_posix()


def printable(text: str) -> str:
    """Escape what moves a terminal's cursor, hides text or turns it round, and is no character.

    A file may be named so, and a message may tell of a text that holds it.
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def json_line(record: Mapping[str, object]) -> str:
    """Return an object of JSON in ASCII, which every output has and no terminal obeys."""
    return json.dumps(record).replace("\x7f", "\\u007f")


def json_lines(report: Report, folder: Path) -> Iterator[str]:
    """Yield a JSON object for each finding."""
    for finding in report.findings:
        yield json_line(
            {
                "file": relative(finding.path, folder),
                "line": finding.span.line,
                "end_line": finding.span.end_line,
                "kind": finding.kind.value,
                "rule": finding.rule,
                "message": finding.message,
            }
        )


def github(report: Report, folder: Path) -> Iterator[str]:
    """Yield a workflow command for each finding and for each place that was not judged.

    The form is GitHub's: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    for finding in report.findings:
        span = finding.span
        yield workflow_command(
            "error",
            {
                "file": relative(finding.path, folder),
                "line": str(span.line),
                "endLine": str(span.end_line),
                "col": str(span.column + 1),
                "title": f"{finding.kind} ({finding.rule})",
            },
            finding.message,
        )
    for place in (*report.unused_ignores, *report.unjudged):
        fields = {"file": relative(place.path, folder)}
        if place.line is not None:
            fields["line"] = str(place.line)
        title = "unused ignore" if place in report.unused_ignores else "not judged"
        yield workflow_command("warning", {**fields, "title": title}, place.why)


def workflow_command(name: str, fields: dict[str, str], message: str) -> str:
    """Return a workflow command of GitHub Actions."""

    def escaped(text: str, more: str = "") -> str:
        for letter in f"%\r\n{more}":
            text = text.replace(letter, f"%{ord(letter):02X}")
        return printable(text)

    written = ",".join(f"{key}={escaped(value, ':,')}" for key, value in fields.items())
    return f"::{name} {written}::{escaped(message)}"


def full(report: Report, folder: Path) -> Iterator[Styled]:
    """Yield the lines of a report for people: each finding with its source and its reason."""
    texts: dict[Path, Text | None] = {}
    for finding in report.findings:
        if finding.path not in texts:
            texts[finding.path] = _read(finding.path)
        yield from _finding(finding, texts[finding.path], folder)
        yield Styled()
    for line in not_judged(report, folder):
        yield Styled(line, style="yellow")
    if report.unjudged or report.unused_ignores:
        yield Styled()
    for line in summary(report, folder):
        yield Styled(line)


def not_judged(report: Report, folder: Path) -> Iterator[str]:
    """Yield a line for each unused ignore, and for each reason why something was not judged."""
    for place in report.unused_ignores:
        yield printable(f"{_at(place, folder)}: {place.why}")
    by_reason: dict[str, list[Unjudged]] = defaultdict(list)
    for place in report.unjudged:
        # A file that cannot be read is a line of its own, however many there are.
        key = place.why if place.line is not None else f"{place.path}: {place.why}"
        by_reason[key].append(place)
    for places in by_reason.values():
        more = f" (and in {count(len(places) - 1, 'more place')})" if len(places) > 1 else ""
        yield printable(f"{_at(places[0], folder)}: not judged: {places[0].why}{more}")


def summary(report: Report, folder: Path) -> Iterator[str]:
    """Yield what was judged, with what, and how much was found."""
    engines = " and ".join(f"{name} {version}" for name, version in report.engines)
    interpreter = report.interpreter
    if interpreter.is_relative_to(folder):
        interpreter = interpreter.relative_to(folder)
    yield printable(f"Python: {interpreter} ({report.interpreter_source}); checked with {engines}")
    findings, files = count(len(report.findings), "finding"), count(len(report.files), "file")
    rest = f"; {count(len(report.unjudged), 'place')} not judged" if report.unjudged else ""
    if report.unused_ignores:
        rest += f"; {count(len(report.unused_ignores), 'ignore')} to take out or to mend"
    clean = report.is_whole and not (report.findings or report.guarded_imports)
    yield f"{findings} in {files}{rest}{left_out(report)}" + (": clean" if clean else "")


def left_out(report: Report) -> str:
    """Return what does not count as not judged, as it ends a summary."""
    guarded, ignored = report.guarded_imports, report.ignored_by_git
    return "".join(
        [
            f"; {count(guarded, 'guarded import')} not resolved" if guarded else "",
            f"; {count(ignored, 'file')} left out, which git ignores" if ignored else "",
        ]
    )


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _at(place: Unjudged, folder: Path) -> str:
    path = relative(place.path, folder)
    return path if place.line is None else f"{path}:{place.line}"


def _read(path: Path) -> Text | None:
    try:
        return Text.read(path)
    except (OSError, UndecodableError):
        return None  # it went away since it was judged; the finding stands without its source


def _finding(finding: Finding, text: Text | None, folder: Path) -> Iterator[Styled]:
    span = finding.span
    where = f"{relative(finding.path, folder)}:{span.line}:{span.column + 1}"
    yield Styled.assemble(
        (printable(where), "bold"),
        ": ",
        (finding.kind.value, "bold red"),
        printable(f": {finding.message} "),
        (f"[{finding.rule}]", "dim"),
    )
    if text is not None:
        yield from _excerpt(finding, text)
    if finding.definition is not None:
        at = f"{relative(finding.definition.path, folder)}:{finding.definition.line}"
        why = printable(finding.definition.why)
        yield Styled.assemble("  defined in ", (printable(at), "bold"), f": {why}")


def _excerpt(finding: Finding, text: Text) -> Iterator[Styled]:
    span = finding.span
    last = min(span.end_line, span.line + LONGEST_EXCERPT - 1)
    width = len(str(last))
    for number in range(span.line, last + 1):
        line = text.line(number)
        start = span.column if number == span.line else len(line) - len(line.lstrip())
        end = span.end_column if number == span.end_line else len(line)
        parts = (line[:start], line[start:end], line[end:])
        before, wrong, after = (printable(part.replace("\t", " ")) for part in parts)
        styled = Styled(f"  {number:>{width}} | ", style="dim", end="")
        yield styled.append_text(Styled.assemble(before, (wrong, "red"), after, style="not dim"))
    if last < span.end_line:
        yield Styled(f"  {'':>{width}} | … to line {span.end_line}", style="dim")

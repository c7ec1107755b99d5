"""An outcome as SARIF 2.1.0, which code hosts and editors show.

The format is OASIS's: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from await_audit.finding import Kind, Report, Span, Unjudged
from await_audit.report import json_line, printable, relative

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

RULES = {
    Kind.AWAIT_SYNC: "Something is awaited that is not awaitable: TypeError when the line runs.",
    Kind.UNAWAITED: "A coroutine is made that nobody awaits: its body never runs.",
}

Object = dict[str, Any]
"""An object of JSON, as the format names its parts."""


def sarif(report: Report, folder: Path) -> Iterator[str]:
    """Yield an audit's report as one document; paths are relative to `folder`."""
    results = []
    for finding in report.findings:
        defined = finding.definition
        related = (
            [location(defined.path, folder, defined.line, why=f"defined here: {defined.why}")]
            if defined
            else []
        )
        where = location(finding.path, folder, finding.span)
        results.append(result(finding.kind, finding.rule, finding.message, where, related))
    unsure = [*report.unused_ignores, *report.unjudged]
    yield document(results, unsure, folder, report.exit_code, report.engines)


def document(
    results: Sequence[Object],
    unsure: Iterable[Unjudged],
    folder: Path,
    exit_code: int,
    engines: Iterable[tuple[str, str]] = (),
) -> str:
    """Return a document of one run, on one line.

    `unsure` is what was not judged, or silences nothing; `engines` are names with versions.
    """
    rules = [{"id": kind, "shortDescription": {"text": text}} for kind, text in RULES.items()]
    driver = {"name": "netra-ws audit", "version": version("netra_ws"), "rules": rules}
    said = [
        {
            "level": "warning",
            "message": {"text": printable(place.why)},
            "locations": [location(place.path, folder, place.line)],
        }
        for place in unsure
    ]
    run = {
        "tool": {
            "driver": driver,
            "extensions": [{"name": name, "version": number} for name, number in engines],
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": exit_code in (0, 1),
                "exitCode": exit_code,
                "toolExecutionNotifications": said,
            }
        ],
        "results": results,
    }
    return json_line({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def result(
    kind: Kind,
    rule: str,
    message: str,
    where: Object,
    related: Sequence[Object] = (),
    level: str = "error",
) -> Object:
    """Return one result; its rule is a part of its kind."""
    return {
        "ruleId": f"{kind}/{rule}",
        "ruleIndex": list(RULES).index(kind),
        "level": level,
        "message": {"text": printable(message)},
        "locations": [where],
        "relatedLocations": related,
    }


def location(path: Path, folder: Path, at: Span | int | None, why: str | None = None) -> Object:
    """Return a place: a stretch of a file, a line, or with None the file."""
    physical: Object = {"artifactLocation": {"uri": uri(path, folder)}}
    if isinstance(at, Span):
        physical["region"] = {
            "startLine": at.line,
            "startColumn": at.column + 1,
            "endLine": at.end_line,
            "endColumn": at.end_column + 1,
        }
    elif at is not None:
        physical["region"] = {"startLine": at}
    words = {"message": {"text": printable(why)}} if why is not None else {}
    return {"physicalLocation": physical, **words}


def uri(path: Path, folder: Path) -> str:
    """Return a path as a URI relative to a folder (RFC 3986); absolute where there is no way."""
    way = relative(path, folder)
    return path.as_uri() if Path(way).is_absolute() else quote(os.fsencode(way))

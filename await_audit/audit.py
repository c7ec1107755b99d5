"""One audit: which files, which interpreter, what the type checkers say, and what that means."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from await_audit.checks import own_findings
from await_audit.checks.guarded import GuardedImports
from await_audit.engines import Engine, Settings, pyrefly, pyright
from await_audit.engines.diagnostic import Diagnostic
from await_audit.engines.known import check_known
from await_audit.engines.mirror import NO_COPY, Mirror
from await_audit.files import Files, find_files
from await_audit.finding import Finding, Report, Unjudged
from await_audit.ignores import Ignore, apply_ignores, find_ignores
from await_audit.interpreter import find_interpreter
from await_audit.judging.judgement import judge
from await_audit.judging.project import around
from await_audit.resolver.nodes import room_for_calls
from await_audit.search_path import search_path


@contextmanager
def _without_collector() -> Iterator[None]:
    """Leave the cyclic garbage be: syntax trees have none, and the collector walks them all.

    That is a quarter of the time of the own checks, at the same memory (measured, 69,000 lines).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_without_collector()
@room_for_calls()
def audit(
    paths: Sequence[Path],
    *,
    python: Path | None = None,
    engine: Engine = Engine.PYREFLY,
    root: Path | None = None,
    imports: Sequence[Path] | None = None,
    mirror: Mirror = NO_COPY,
) -> Report:
    """Judge the Python files at and below `paths`.

    `python` is the interpreter of the audited project, searched for if it is not given. `root` is
    the folder its imports start from, the working directory if it is not given. `imports` are all
    the folders that imports start from, absolute, if `paths` are a part of what was judged before.
    `mirror` says of which files they are copies, if they are. What else there is in their project
    is just read, for what it says of their names. Every path in the report is absolute. Raises
    AuditError for what cannot be done as asked.
    """
    root = _absolute(root or Path.cwd())
    files = find_files(paths)
    interpreter = find_interpreter(_absolute(paths[0]), python)
    found = search_path(root, files.paths) if imports is None else tuple(imports)
    settings = Settings(interpreter.path, found)
    engines = [pyrefly, pyright] if engine is Engine.BOTH else [pyrefly]
    versions = tuple((one.NAME, one.version()) for one in engines)
    for one in engines:
        check_known(one)
    said, own = _look(engines, files, settings, root)
    guarded = GuardedImports(files, found, interpreter)

    def beside(flagged: Iterable[Path]) -> dict[Path, str]:
        given = [] if mirror is not NO_COPY else list(map(_absolute, paths))
        return around(map(mirror.outside, flagged), given, root)

    judgement = judge(files, settings, guarded.without(said), beside, mirror)
    found_both = _joined(judgement.findings, (one for one in own if isinstance(one, Finding)))
    unparsed = [one for one in own if isinstance(one, Unjudged)]
    unparsed = [one for one in unparsed if one.path not in judgement.broken]
    findings, unused = _without_ignored(found_both, files, judgement.broken)
    return Report(
        root=root,
        interpreter=interpreter.path,
        interpreter_source=interpreter.source,
        engines=versions,
        files=tuple(files.paths),
        findings=tuple(sorted(findings, key=lambda found: (found.path, found.span, found.rule))),
        unjudged=tuple(sorted([*files.unjudged, *judgement.unjudged, *unparsed], key=_order)),
        unused_ignores=tuple(sorted(unused, key=_order)),
        ignored_by_git=len(files.ignored),
        guarded_imports=len(guarded),
    )


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named


def _look(
    engines: Iterable[ModuleType], files: Files, settings: Settings, root: Path
) -> tuple[list[tuple[str, Diagnostic]], list[Finding | Unjudged]]:
    """Return what the type checkers say, and what the own checks do."""
    # An engine is another process, and leaves this one idle. What parses stays in this thread: on
    # CPython 3.11 two that make syntax trees at once end in SystemError.
    with ThreadPoolExecutor(1) as pool:
        asked = [
            (one.NAME, pool.submit(one.check, files.paths, settings, files.recoded))
            for one in engines
        ]
        own = list(own_findings(files, settings, root))
        return [(name, said) for name, answer in asked for said in answer.result()], own


def _joined(judged: list[Finding], own: Iterable[Finding]) -> list[Finding]:
    """Add what the own checks alone found."""
    known = {(found.path, found.span.line, found.kind) for found in judged}
    return judged + [one for one in own if (one.path, one.span.line, one.kind) not in known]


def _without_ignored(
    findings: Iterable[Finding], files: Files, broken: set[Path]
) -> tuple[list[Finding], list[Unjudged]]:
    """Take out what is ignored, and name the ignores that are wrong or silence none."""
    paths = sorted(files.marked - broken)
    marks = [mark for path in paths for mark in find_ignores(path, files.text(path))]
    left, unused = apply_ignores(findings, [mark for mark in marks if isinstance(mark, Ignore)])
    return left, unused + [mark for mark in marks if isinstance(mark, Unjudged)]


def _order(place: Unjudged) -> tuple[Path, int, str]:
    return place.path, place.line or 0, place.why

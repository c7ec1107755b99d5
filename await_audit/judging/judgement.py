"""What the messages of the type checkers amount to: findings with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from await_audit.engines import Settings
from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.engines.language_server import Place
from await_audit.engines.mirror import NO_COPY, Mirror
from await_audit.files import Files
from await_audit.finding import Finding, Kind, Unjudged
from await_audit.judging.asking import ask, find_definitions
from await_audit.judging.callee import Callee, callee_of, definition, look_up
from await_audit.judging.certainty import Certainty, is_open, rests_on_abstract
from await_audit.judging.flags import NO_FLAG, Flag, gather_flags
from await_audit.judging.names import Names, read_methods, search_names
from await_audit.judging.project import Project
from await_audit.judging.unannotated import find_candidates, infer
from await_audit.source import Text

LONGEST_TYPE = 120
"""Characters of a type in a message; the rest of a long one tells nobody anything."""


@dataclass(slots=True)
class Judgement:
    """Findings, and what could not be judged; `broken` are the files with a syntax error."""

    findings: list[Finding] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)


def judge(
    files: Files,
    settings: Settings,
    said: Sequence[tuple[str, Diagnostic]],
    beside: Callable[[Iterable[Path]], Mapping[Path, str]],
    mirror: Mirror = NO_COPY,
) -> Judgement:
    """Turn what each engine says into findings. Raises AuditError if an engine fails.

    `beside` gives the text of what else there is in the projects of some files, which `mirror` may
    hold copies of.
    """
    judgement = _unjudged(diagnostic for _, diagnostic in said)
    sources = {path: files.text(path).text for path in files.paths}
    candidates = find_candidates(sources)
    calls = {call for call in candidates.calls if call[0] not in judgement.broken}
    flagged = {one.path for _, one in said if one.symptom not in NO_FLAG} - judgement.broken
    texts = {path: Text(sources[path]) for path in flagged | {path for path, _ in calls}}
    evidence = _ask(gather_flags(said, texts), calls, texts, settings)
    evidence = _with_inferred(evidence, infer(candidates, evidence.places, texts), texts)
    if evidence.flags:
        project = Project({**beside(texts), **sources}, mirror)
        names = read_methods(search_names(project.texts.items()))
        judgement.findings += _findings(evidence, names, project)
        judgement.unjudged += [_lost(flag) for flag in evidence.flags if flag.is_lost]
    return judgement


Callees = Mapping[int, Callee | None]
"""The callee of each flag, by the flag's id."""


class _Evidence(NamedTuple):
    """The flags, what each calls, and where that is defined."""

    flags: list[Flag]
    callees: Callees
    places: Mapping[Place, tuple[Path, int]]


def _ask(
    first: list[Flag],
    calls: set[Place],
    texts: Mapping[Path, Text],
    settings: Settings,
) -> _Evidence:
    """Ask the engines again, about what is hidden as well."""
    callees = _callees(first, texts)
    asked = _places_of(first, callees) | calls
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(find_definitions, asked, first, texts, settings)
        flags, places = ask(first, texts, settings), early.result()
    if any(id(flag) not in callees for flag in flags):
        # In files without the superfluous awaits that came to light.
        callees = _callees(flags, texts)
        places = find_definitions(_places_of(flags, callees) | calls, flags, texts, settings)
    return _Evidence(flags, callees, places)


def _with_inferred(
    evidence: _Evidence, inferred: Iterable[Flag], texts: Mapping[Path, Text]
) -> _Evidence:
    """Add the flags that no type checker raised."""
    known = {(flag.path, flag.span) for flag in evidence.flags}
    new = [flag for flag in inferred if (flag.path, flag.span) not in known]
    callees = {**evidence.callees, **_callees(new, texts)}
    return evidence._replace(flags=evidence.flags + new, callees=callees)


def _findings(evidence: _Evidence, names: Names, project: Project) -> Iterator[Finding]:
    """Yield what holds; what no type checker said only if nothing speaks against it."""
    misused = [flag for flag in evidence.flags if flag.kind is Kind.UNAWAITED]
    certainty = Certainty(project, names, misused)
    for flag in evidence.flags:
        callee = evidence.callees[id(flag)]
        at = evidence.places.get((flag.path, callee.offset or -1)) if callee else None
        if flag.kind is Kind.AWAIT_SYNC and _may_be_right(flag, at, names):
            continue
        found = look_up(*at) if at else None
        if not flag.inferred or certainty.is_proved(flag, callee, found):
            certain = flag.kind is Kind.AWAIT_SYNC and certainty.is_certain(flag, callee, found)
            yield _finding(flag, callee, at, certain=certain)


def _may_be_right(flag: Flag, at: tuple[Path, int] | None, names: Names) -> bool:
    return is_open(flag, names) or (at is not None and rests_on_abstract(look_up(*at), names))


def _callees(flags: Iterable[Flag], texts: Mapping[Path, Text]) -> Callees:
    return {id(flag): callee_of(texts[flag.path], flag.operand) for flag in flags}


def _places_of(flags: Iterable[Flag], callees: Callees) -> set[Place]:
    found = ((flag.path, callees[id(flag)]) for flag in flags)
    return {(path, one.offset) for path, one in found if one and one.offset is not None}


def _unjudged(said: Iterable[Diagnostic]) -> Judgement:
    judgement = Judgement()
    for one in said:
        if one.symptom is Symptom.SYNTAX_ERROR and one.path not in judgement.broken:
            why = f"it has a syntax error: {one.message}"
            judgement.unjudged.append(Unjudged(one.path, one.span.line, why))
            judgement.broken.add(one.path)
        elif one.symptom is Symptom.UNRESOLVED_IMPORT:
            why = f"the import of {one.subject or 'a module'} was not resolved"
            judgement.unjudged.append(Unjudged(one.path, one.span.line, why))
    return judgement


def _lost(flag: Flag) -> Unjudged:
    why = f"a type checker says `{flag.message}`, and asked again it does not know the type"
    return Unjudged(flag.path, flag.span.line, why)


def _finding(
    flag: Flag,
    callee: Callee | None,
    at: tuple[Path, int] | None,
    *,
    certain: bool,
) -> Finding:
    awaited = flag.kind is Kind.AWAIT_SYNC
    return Finding(
        path=flag.path,
        span=flag.span,
        kind=flag.kind,
        rule=flag.symptom.value,
        message=_message(flag),
        engines=tuple(flag.engines),
        certain=certain,
        operand=flag.operand if awaited else None,
        operand_type=flag.whole,
        definition=definition(callee, at, flag.whole) if callee and at else None,
    )


def _message(flag: Flag) -> str:
    written = flag.whole or " | ".join(sorted(flag.types))
    written = " ".join(written.split())
    if len(written) > LONGEST_TYPE:
        written = written[:LONGEST_TYPE] + "…"
    if flag.inferred:
        return "what is returned is not awaitable, whatever it is called with"
    match flag.symptom:
        case Symptom.NOT_AWAITABLE:
            return f"`{written}` is not awaitable"
        case Symptom.NOT_ASYNC_CONTEXT:
            return f"`{written}` is not an asynchronous context manager"
        case Symptom.NOT_ASYNC_ITERABLE:
            return f"`{written}` is not an asynchronous iterable"
        case Symptom.NOT_COROUTINE_ARGUMENT:
            return f"{flag.subject} awaits its argument, and `{written}` is not awaitable"
        case Symptom.DROPPED:
            return "this coroutine is never awaited, so its body never runs"
        case _:
            words = " ".join(flag.message.split())
            return f"a coroutine that is not awaited is used as a value: {words}"

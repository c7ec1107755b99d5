"""What the messages of the type checkers amount to: findings with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from await_audit.engines import Settings
from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.engines.language_server import Place
from await_audit.files import Files
from await_audit.finding import Finding, Kind, Unjudged
from await_audit.judging.asking import ask, find_definitions
from await_audit.judging.callee import Callee, callee_of, definition, look_up
from await_audit.judging.certainty import is_certain, is_open, rests_on_abstract
from await_audit.judging.flags import NO_FLAG, Flag, gather_flags
from await_audit.judging.names import Names, read_methods, search_names
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


def judge(files: Files, settings: Settings, said: Sequence[tuple[str, Diagnostic]]) -> Judgement:
    """Turn what each engine says into findings. Raises PreventionError if an engine fails."""
    judgement = _unjudged(diagnostic for _, diagnostic in said)
    everything = {path: files.text(path).text for path in files.paths}
    candidates = find_candidates(everything)
    paths = {one.path for _, one in said if one.symptom not in NO_FLAG} - judgement.broken
    asked_of = {path for path, _ in candidates.calls} - judgement.broken
    texts = {path: Text(everything[path]) for path in paths | asked_of}
    calls = {call for call in candidates.calls if call[0] in asked_of}
    first = gather_flags(said, texts)
    callees = {id(flag): callee_of(texts[flag.path], flag.operand) for flag in first}
    wanted = _names_of(callees)
    # Two other processes, and this one has work of its own. What parses stays in this thread.
    with ThreadPoolExecutor(2) as pool:
        asked = _asked(first, callees) | calls
        early = pool.submit(find_definitions, asked, list(first), texts, settings)
        searched = pool.submit(search_names, everything.items(), wanted) if first else None
        flags, places = ask(first, texts, settings), early.result()
        names = read_methods(searched.result()) if searched else None
    if not callees.keys() >= set(map(id, flags)):
        # What was hidden is asked about too, and in files without the new wrong awaits.
        callees = {id(flag): callee_of(texts[flag.path], flag.operand) for flag in flags}
        places = find_definitions(_asked(flags, callees) | calls, flags, texts, settings)
    known = {(flag.path, flag.span) for flag in flags}
    for flag in infer(candidates, places, texts):
        if (flag.path, flag.span) not in known:
            flags.append(flag)
            callees[id(flag)] = callee_of(texts[flag.path], flag.operand)
    if not flags:
        return judgement
    if names is None or not _names_of(callees) <= wanted:
        names = read_methods(search_names(everything.items(), _names_of(callees)))
    flags = [flag for flag in flags if flag.kind is Kind.UNAWAITED or not is_open(flag, names)]
    misused = [flag for flag in flags if flag.kind is Kind.UNAWAITED]
    for flag in flags:
        callee = callees[id(flag)]
        at = places.get((flag.path, callee.offset or -1)) if callee else None
        if flag.kind is Kind.AWAIT_SYNC and at and rests_on_abstract(look_up(*at), names):
            continue
        finding = _finding(flag, callee, at, names, misused)
        # What no type checker said is said only if nothing speaks against it.
        if finding.certain or not flag.inferred:
            judgement.findings.append(finding)
    return judgement


def _names_of(callees: Mapping[int, Callee | None]) -> set[str]:
    return {callee.name for callee in callees.values() if callee and callee.name}


def _asked(flags: Iterable[Flag], callees: Mapping[int, Callee | None]) -> set[Place]:
    """Return the places of the names that the flags are about."""
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


def _finding(
    flag: Flag,
    callee: Callee | None,
    at: tuple[Path, int] | None,
    names: Names,
    misused: Sequence[Flag],
) -> Finding:
    found = look_up(*at) if at else None
    awaited = flag.kind is Kind.AWAIT_SYNC
    return Finding(
        path=flag.path,
        span=flag.span,
        kind=flag.kind,
        rule=flag.symptom.value,
        message=_message(flag),
        engines=tuple(flag.engines),
        certain=awaited and is_certain(flag, callee, found, names, misused),
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

"""Which flags hold: the type checkers are asked again, about the flagged files alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from await_audit.engines import Settings, pyrefly, pyright
from await_audit.engines.diagnostic import Symptom
from await_audit.engines.language_server import Place, definitions
from await_audit.finding import Kind, Span
from await_audit.judging.flags import Flag, gather_flags
from await_audit.judging.operands import Answers, reveal
from await_audit.judging.rewriting import Question, rewrite
from await_audit.source import Text

ROUNDS = 5
"""How often a file is asked about: each time what superfluous awaits had hidden."""

HIDDEN = frozenset({Symptom.NOT_AWAITABLE, Symptom.NOT_COROUTINE_ARGUMENT, Symptom.DROPPED})
"""What counts when a superfluous `await` had hidden it. Not an `async for`: without the `await` in
it a generator expression is another kind of thing, and the complaint may be about that. Nor a
coroutine used as a value: of a union that may be awaited the other members show up there."""


Key = tuple[Path, Span, Kind]


def ask(flags: list[Flag], texts: Mapping[Path, Text], settings: Settings) -> list[Flag]:
    """Fill in the whole types of what is awaited, and add the flags that others had hidden.

    Each engine is asked about what it was the first to flag. `texts` holds the text of each file
    with a flag.
    """
    found = _ask_pyrefly({_key(flag): flag for flag in flags}, texts, settings)
    own = [flag for flag in found.values() if _is_asked(flag, pyright.NAME)]
    if own:
        _fill_in(own, pyright.NAME, reveal(_questions(own), texts, settings, pyright.check))
    return list(found.values())


def _ask_pyrefly(
    found: dict[Key, Flag], texts: Mapping[Path, Text], settings: Settings
) -> dict[Key, Flag]:
    """Ask about the files with flags, and again about those in which that uncovers others.

    Left out is what turns out to be an asynchronous iterable: pyrefly wants an `__aiter__` of the
    iterator too, which the language does not ask for.
    """
    paths = {flag.path for flag in found.values() if _is_asked(flag, pyrefly.NAME)}
    for _ in range(ROUNDS):
        asked = [flag for flag in found.values() if _awaited(flag) and flag.path in paths]
        if not asked:
            break
        answers = reveal(_questions(asked), texts, settings)
        _fill_in(asked, pyrefly.NAME, answers)
        right = {_key(flag) for flag in asked if flag.place in answers.asynchronous}
        found = {key: flag for key, flag in found.items() if key not in right}
        hidden = _hidden(answers, texts)
        paths = {flag.path for key, flag in hidden.items() if key not in found}
        found = hidden | found
    return found


def _fill_in(flags: Iterable[Flag], engine: str, answers: Answers) -> None:
    for flag in flags:
        if _is_asked(flag, engine):
            flag.whole = answers.types.get(flag.place)


def _hidden(answers: Answers, texts: Mapping[Path, Text]) -> dict[Key, Flag]:
    rest = ((pyrefly.NAME, one) for one in answers.rest if one.symptom in HIDDEN)
    return {_key(flag): flag for flag in gather_flags(rest, texts)}


def _key(flag: Flag) -> Key:
    return flag.path, flag.operand, flag.kind


def find_definitions(
    names: Iterable[Place],
    flags: Iterable[Flag],
    texts: Mapping[Path, Text],
    settings: Settings,
) -> dict[Place, tuple[Path, int]]:
    """Return file and line of what each name stands for, without the superfluous `await`s.

    With them, the type of what such an `await` gives is unknown, and so are its methods.
    """
    awaited = _questions(flag for flag in flags if _awaited(flag) and flag.path in texts)
    rewritten = {path: rewrite(text, awaited.get(path, ())) for path, text in texts.items()}
    moved = {(path, rewritten[path].new(offset)): (path, offset) for path, offset in names}
    found = definitions(moved, {path: new.text for path, new in rewritten.items()}, settings)
    return {moved[place]: at for place, at in found.items()}


def _awaited(flag: Flag) -> bool:
    return flag.kind is Kind.AWAIT_SYNC


def _is_asked(flag: Flag, engine: str) -> bool:
    return _awaited(flag) and flag.whole is None and flag.engines[0] == engine


def _questions(flags: Iterable[Flag]) -> dict[Path, list[Question]]:
    found: dict[Path, list[Question]] = defaultdict(list)
    for flag in flags:
        found[flag.path].append(flag.question)
    return found

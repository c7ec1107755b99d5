"""The places that type checkers flagged, each once even if several name it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from await_audit.engines.diagnostic import AWAITED, Diagnostic, Symptom
from await_audit.engines.written_types import OPEN, split
from await_audit.finding import Kind, Span
from await_audit.judging.operands import arguments, operand_of
from await_audit.judging.rewriting import Question
from await_audit.source import Text

NO_FLAG = frozenset(
    {
        Symptom.REVEALED,
        Symptom.MISSING_PROTOCOL,
        Symptom.UNRESOLVED_IMPORT,
        Symptom.SYNTAX_ERROR,
    }
)
"""What is said in answer to a question, or of a whole file."""


@dataclass(slots=True)
class Flag:
    """A place, what is wrong there, and which type checkers say so.

    `types` are the types that they name as wrong; `whole` is that of the operand, if it is known.
    """

    path: Path
    span: Span
    operand: Span
    symptom: Symptom
    message: str = ""
    types: set[str] = field(default_factory=set)
    subject: str | None = None
    engines: list[str] = field(default_factory=list)
    whole: str | None = None
    inferred: bool = False
    """Whether no type checker said it, and what the function returns shows it."""

    @property
    def kind(self) -> Kind:
        """Which of the two wrong colours it is."""
        return Kind.AWAIT_SYNC if self.symptom in AWAITED else Kind.UNAWAITED

    @property
    def is_lost(self) -> bool:
        """Whether the type of the operand was known once and is not, asked again."""
        return self.kind is Kind.AWAIT_SYNC and self.whole in OPEN - self.types

    @property
    def place(self) -> tuple[Path, Span]:
        """Where the operand stands."""
        return self.path, self.operand

    @property
    def question(self) -> Question:
        """What asks for the whole type of the operand."""
        awaited = self.symptom is Symptom.NOT_AWAITABLE
        return Question(
            self.span, self.operand, awaited, self.symptom is Symptom.NOT_ASYNC_ITERABLE
        )


def gather_flags(said: Iterable[tuple[str, Diagnostic]], texts: Mapping[Path, Text]) -> list[Flag]:
    """Join what each engine says of one operand; files that are not in `texts` are left out."""
    found: dict[tuple[Path, int, int, Kind], Flag] = {}
    for engine, diagnostic in said:
        if diagnostic.path not in texts or diagnostic.symptom in NO_FLAG:
            continue
        for flag in _flags(diagnostic, texts[diagnostic.path]):
            key = (flag.path, flag.operand.line, flag.operand.column, flag.kind)
            known = found.setdefault(key, flag)
            known.types |= flag.types
            if engine not in known.engines:
                known.engines.append(engine)
    flags = list(found.values())
    within = [flag for flag in flags if flag.symptom is Symptom.NOT_COROUTINE_ARGUMENT]
    # Of a call one engine names the argument, and another an item in it.
    return [flag for flag in flags if not any(_holds(flag, other) for other in within)]


def _holds(outer: Flag, inner: Flag) -> bool:
    if outer.symptom is not inner.symptom or outer.path != inner.path:
        return False
    first, last = outer.span, inner.span
    begins = (first.line, first.column) <= (last.line, last.column)
    ends = (last.end_line, last.end_column) <= (first.end_line, first.end_column)
    return begins and ends and first != last


def _flags(diagnostic: Diagnostic, text: Text) -> Iterator[Flag]:
    operand = operand_of(text, diagnostic)
    flag = Flag(
        diagnostic.path,
        diagnostic.span,
        operand,
        diagnostic.symptom,
        diagnostic.message,
        set(diagnostic.types),
        diagnostic.subject,
    )
    if diagnostic.listed:
        types = split(diagnostic.types[0], ",")
        for span, written in arguments(text, operand, types):
            yield replace(flag, span=span, operand=span, types={written}, whole=written, engines=[])
    else:
        yield flag

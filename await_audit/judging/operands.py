"""The whole type of what is awaited.

Of a union a type checker names the members that cannot be awaited and keeps quiet about the others.
So each flagged operand is asked for by `reveal_type`, in copies of the flagged files alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from await_audit.engines import Settings, pyrefly
from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.engines.written_types import is_value, may_be_awaitable, members
from await_audit.finding import Span
from await_audit.judging.rewriting import PROBE, Question, rewrite
from await_audit.source import Text

Check = Callable[[Sequence[Path], Settings, Mapping[Path, str]], list[Diagnostic]]
"""What runs a type checker over files with other texts."""

AFTER_KEYWORD = re.compile(r"await(?:\s|\\(?:\r\n|\r|\n)|#[^\r\n]*)*")


def arguments(text: Text, span: Span, types: Sequence[str]) -> list[tuple[Span, str]]:
    """Return the arguments of a call that cannot be awaited, each with its type.

    `span` is what stands in the call's brackets, and they themselves; `types` are the types of the
    arguments in their order.
    """
    given = zip(_arguments(text, span), types, strict=False)
    typed = [
        (place, _type_of_items(written) if starred else written)
        for (place, starred), written in given
    ]
    found = [one for one in typed if not any(map(may_be_awaitable, members(one[1])))]
    # Where one is a plain value, that is the wrong one, and an instance may have `__await__`.
    values = [one for one in found if all(map(is_value, members(one[1])))]
    return values or found


def _arguments(text: Text, span: Span) -> list[tuple[Span, bool]]:
    """Return where each argument of a call stands, and whether a star stands before it."""
    begin = text.offset(span.line, span.column) - 1
    source = f"_{text.slice(span)}"
    inside = Text(source)
    try:
        call = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = []
    for argument in call.args if isinstance(call, ast.Call) else ():
        starred = isinstance(argument, ast.Starred)
        node = argument.value if isinstance(argument, ast.Starred) else argument
        start = begin + inside.byte_offset(node.lineno, node.col_offset)
        end = begin + inside.byte_offset(node.end_lineno, node.end_col_offset)
        found.append((text.span(start, end), starred))
    return found


def _type_of_items(written: str) -> str:
    items = re.fullmatch(r"\*\w+\[(.*)\]", written)
    return items[1] if items else "Unknown"


def operand_of(text: Text, diagnostic: Diagnostic) -> Span:
    """Return the span of what is awaited: behind the keyword, its blanks and its comments."""
    start, end = text.offsets(diagnostic.span)
    if diagnostic.symptom is Symptom.NOT_AWAITABLE:
        keyword = AFTER_KEYWORD.match(text.text, start, end)
        start = keyword.end() if keyword else start
    return text.span(start, end)


@dataclass(slots=True)
class Answers:
    """What a type checker says of the rewritten files.

    `types` are those of the operands, where it says one: it does not of code that never runs.
    `asynchronous` are the iterated ones that have `__aiter__`. `rest` is what else it says, at its
    place in the original.
    """

    types: dict[tuple[Path, Span], str] = field(default_factory=dict)
    asynchronous: set[tuple[Path, Span]] = field(default_factory=set)
    rest: list[Diagnostic] = field(default_factory=list)


def reveal(
    questions: Mapping[Path, Sequence[Question]],
    texts: Mapping[Path, Text],
    settings: Settings,
    check: Check = pyrefly.check,
) -> Answers:
    """Ask a type checker the questions about each file; `texts` holds each of these files."""
    rewritten = {path: rewrite(texts[path], asked) for path, asked in questions.items()}
    answers = Answers()
    lacking: set[tuple[Path, Span]] = set()
    sources = {path: new.text.text for path, new in rewritten.items()}
    for said in check(sorted(sources), settings, sources):
        new = rewritten[said.path]
        at = new.text.offset(said.span.line, said.span.column)
        if said.symptom is Symptom.REVEALED:
            if question := new.question_at(at):
                answers.types[said.path, question.operand] = said.types[0]
        elif said.symptom is Symptom.MISSING_PROTOCOL:
            if question := new.question_at(at + len(PROBE) - 1):
                lacking.add((said.path, question.operand))
        elif span := new.span(texts[said.path], said.span):
            answers.rest.append(replace(said, span=span))
    for path, asked in questions.items():
        iterated = {(path, question.operand) for question in asked if question.iterated}
        answers.asynchronous |= (iterated & answers.types.keys()) - lacking
    return answers

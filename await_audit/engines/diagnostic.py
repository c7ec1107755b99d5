"""What a type checker says of one place, in the same words for every type checker."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from await_audit.finding import Span


class Symptom(StrEnum):
    """What is wrong at a place."""

    NOT_AWAITABLE = "await-of-non-awaitable"
    NOT_ASYNC_CONTEXT = "async-with-of-non-async-context-manager"
    NOT_ASYNC_ITERABLE = "async-for-of-non-async-iterable"
    NOT_COROUTINE_ARGUMENT = "non-awaitable-argument"
    DROPPED = "dropped-coroutine"
    MISUSED = "coroutine-used-as-value"
    UNRESOLVED_IMPORT = "unresolved-import"
    SYNTAX_ERROR = "syntax-error"
    REVEALED = "revealed-type"
    MISSING_PROTOCOL = "missing-async-protocol"


AWAITED = frozenset(
    {
        Symptom.NOT_AWAITABLE,
        Symptom.NOT_ASYNC_CONTEXT,
        Symptom.NOT_ASYNC_ITERABLE,
        Symptom.NOT_COROUTINE_ARGUMENT,
    }
)
"""What is said of an operand that is awaited, or handed to what awaits it."""

AWAITING_FUNCTIONS = frozenset(
    {
        *("as_completed", "create_task", "ensure_future", "gather", "run"),
        *("run_coroutine_threadsafe", "run_until_complete", "shield", "wait", "wait_for"),
    }
)
"""The functions of asyncio that await their argument: `create_task` is TaskGroup's as well."""

COROUTINE = re.compile(r"Coroutine(Type)?(\[|$)")
"""How both type checkers begin to write the type of a coroutine object."""

LATER = re.compile(r"\b(Awaitable|Coroutine|CoroutineType|Future|Generator|Task)\b")
"""A declared type that contains one of these may accept a coroutine after all."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message of a type checker.

    `span` is what the type checker underlines; for an `await` it begins at the keyword. `types` are
    the types that it names as wrong, of a union one after the other; `subject` is the function that
    was called or the module that was not found. Where `listed`, the span is that of all arguments
    of a call, and the one type a list of theirs.
    """

    path: Path
    span: Span
    symptom: Symptom
    message: str
    types: tuple[str, ...] = ()
    subject: str | None = None
    listed: bool = False

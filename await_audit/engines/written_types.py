"""Types as the type checkers write them.

Both print a type as source text, without the module of a class. What a text cannot tell, such as
whether `T` is a class or a type variable, the index of the project's names tells.
"""

from __future__ import annotations

import re

VALUES = frozenset(
    [
        *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list"),
        *("memoryview", "None", "range", "set", "slice", "str", "tuple", "LiteralString"),
        *("Literal", "date", "datetime", "time", "timedelta", "Decimal", "Path", "UUID"),
    ]
)
"""Classes that have no `__await__`, nor a subclass that anyone awaits."""

OPEN = frozenset(
    [
        *("object", "Any", "Unknown", "Never", "NoReturn"),
        *("AbstractAsyncContextManager", "AsyncContextManager"),
    ]
)
"""Types that say nothing of whether the value can be awaited.

What a client library calls `connect()` is often an asynchronous context manager that can be awaited
as well, and is declared as the former alone."""

ABSTRACT = frozenset(
    [
        *("AbstractAsyncContextManager", "AbstractContextManager", "AsyncContextManager"),
        *("AsyncGenerator", "AsyncIterable", "AsyncIterator", "Callable", "Collection"),
        *("Container", "ContextManager", "Generator", "Hashable", "Iterable", "Iterator"),
        *("Mapping", "Module", "MutableMapping", "MutableSequence", "Overload", "Reversible"),
        *("Sequence", "Set", "Self", "Sized", "SupportsAbs", "SupportsFloat", "SupportsInt"),
        *("super", "type"),
    ]
)
"""Types whose values can be of a class that is awaitable as well, and what awaits for something
else: an async generator and a context manager have the wrong word before them, not one too many."""

LATER = re.compile(r"(Awaitable|Coroutine|CoroutineType|Future|Generator|Task)\b")
"""How the type of what can be awaited or scheduled begins."""

NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")


def members(revealed: str) -> list[str]:
    """Split a type at its outer `|`, and a literal of several values into one of each."""
    found: list[str] = []
    for part in split(revealed, "|"):
        if part.startswith("Literal[") and part.endswith("]"):
            found.extend(f"Literal[{value}]" for value in split(part[8:-1], ","))
        else:
            found.append(part)
    return found


def split(written: str, separator: str) -> list[str]:
    """Split at a separator that stands in no bracket and no string; `-> X | Y` is one piece."""
    pieces: list[str] = []
    depth, start, quote, at = 0, 0, "", 0
    while at < len(written):
        letter = written[at]
        if quote:
            at += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif depth == 0 and written.startswith("->", at):
            break
        elif depth == 0 and letter == separator:
            pieces.append(written[start:at].strip())
            start = at + 1
        at += 1
    pieces.append(written[start:].strip())
    return pieces


def class_name(written: str) -> str | None:
    """Return the name of the class in a type such as `Manager[int]`, None if it is not one."""
    match = NAME.match(written)
    if match is None or written[match.end() :][:1] not in {"", "["}:
        return None
    return match[0].rpartition(".")[2]


def may_be_awaitable(written: str) -> bool:
    """Say whether one member of a type may be awaitable."""
    name = class_name(written)
    return name in OPEN or written.startswith("@") or LATER.match(written) is not None


def is_value(written: str) -> bool:
    """Say whether a type is that of a plain value, which nobody awaits."""
    return class_name(written) in VALUES


def is_one_class(written: str) -> bool:
    """Say whether a type is one class, whose instances are what is awaited."""
    name = class_name(written)
    if name is None or name in OPEN | ABSTRACT or name.endswith("ContextManager"):
        return False
    return not may_be_awaitable(written)

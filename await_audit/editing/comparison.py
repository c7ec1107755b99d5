"""Whether two texts are the same program but for some `await`s.

An edit is made with LibCST's reading of a file; this asks the parser of Python itself.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from await_audit.editing.awaits import UnparsedError, find_awaits
from await_audit.source import Text


def same_without_awaits(old: str, new: str, gone: int, *, shown: bool = False) -> bool:
    """Say whether `new` is `old` with `gone` of its `await`s replaced by what they await.

    `shown` says that a string holds the text of such an expression: `f"{…=}"` does, and every
    string template. Such texts are not compared. Where this Python is older than the syntax of
    `old`, only the number of `await`s in `new` is looked at, as LibCST reads it.
    """
    try:
        trees = _parsed(old), _parsed(new)
    except SyntaxError:
        return _counted(old, new, gone)
    except (RecursionError, MemoryError):  # the parser's words for what is nested too deep
        return False
    return _count_gone(*trees, shown) == gone


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an invalid escape, which is not ours to mend
        return ast.parse(text)


def _counted(old: str, new: str, gone: int) -> bool:
    try:
        before, after = find_awaits(Text(old)), find_awaits(Text(new))
    except UnparsedError:
        return False
    return len(before.sites) - len(after.sites) == gone


def _count_gone(old: ast.AST, new: ast.AST, shown: bool) -> int | None:
    """Return how many `await`s of `old` are not in `new`, or None if anything else differs."""
    gone = 0
    pairs: list[tuple[Any, Any]] = [(old, new)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, ast.Await) and not isinstance(right, ast.Await):
            gone += 1
            pairs.append((left.value, right))
        elif type(left) is not type(right):
            return None
        elif isinstance(left, ast.AST):
            pairs += [
                (getattr(left, name, None), getattr(right, name, None))
                for name in left._fields
                if not (shown and _is_text(left, name))
            ]
        elif isinstance(left, list):
            if len(left) != len(right):
                return None
            pairs += zip(left, right, strict=True)
        elif left != right:
            return None
    return gone


def _is_text(node: ast.AST, name: str) -> bool:
    """Say whether a field may hold the text of an expression: `str` is a template's."""
    return (isinstance(node, ast.Constant) and name == "value" and isinstance(node.value, str)) or (
        type(node).__name__ == "Interpolation" and name == "str"
    )

"""Which functions a module defines, and of which colour each of them is."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from await_audit.resolver.colour import Colour, Function, FunctionNode
from await_audit.resolver.nodes import children
from await_audit.source import UndecodableError, decode

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef)
LOCALS = "<locals>"

PROPERTIES = frozenset({"property", "cached_property", "functools.cached_property"})
REPLACED = frozenset({"overload", "typing.overload", "typing_extensions.overload"})
HARMLESS = PROPERTIES | {
    *("staticmethod", "classmethod", "abstractmethod", "abc.abstractmethod"),
    *("override", "final", "deprecated", "no_type_check"),
    *("typing.override", "typing.final", "typing_extensions.override", "typing_extensions.final"),
    *("cache", "lru_cache", "functools.cache", "functools.lru_cache"),
    *("contextmanager", "contextlib.contextmanager"),
    *("asynccontextmanager", "contextlib.asynccontextmanager"),
}
"""Decorators after which a call gives what the function's colour says."""


class Unparsable(Exception):
    """Raised for a text that this Python cannot parse; its message says where and why."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.line = line


def parse(content: bytes | str) -> ast.Module:
    """Parse a module; the encoding of bytes is the one that they declare, else UTF-8.

    Raises `Unparsable`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes: not what is looked for here
            return ast.parse(content if isinstance(content, str) else decode(content)[0])
    except UndecodableError as error:
        raise Unparsable(f"cannot be decoded: {error}") from error
    except SyntaxError as error:
        raise Unparsable(f"syntax error: {error.msg}", error.lineno) from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise Unparsable("cannot be parsed: it is nested too deep") from error


def functions(module: ast.Module) -> dict[str, Function]:
    """Return the functions of a module by their qualified names.

    A name that is defined in more than one colour, as in the two branches of an `if`, is left
    out: which of them is in force is not known.
    """
    found: dict[str, Function] = {}
    ambiguous: set[str] = set()
    for function in _definitions(module):
        other = found.setdefault(function.qualname, function)
        if other.colour is not function.colour:
            ambiguous.add(function.qualname)
        found[function.qualname] = function  # the last one is the one in force
    return {name: function for name, function in found.items() if name not in ambiguous}


def _definitions(module: ast.Module) -> Iterator[Function]:
    pending: list[tuple[ast.AST, str]] = [(module, "")]
    while pending:
        node, prefix = pending.pop()
        if isinstance(node, FUNCTIONS):
            function = _function(node, prefix + node.name)
            if function is not None:
                yield function
            prefix = f"{prefix}{node.name}.{LOCALS}."
        elif isinstance(node, ast.ClassDef):
            prefix = f"{prefix}{node.name}."
        elif isinstance(node, ast.expr):
            continue
        pending += [(child, prefix) for child in reversed(children(node))]


def _function(node: FunctionNode, qualname: str) -> Function | None:
    names = [decorator_name(decorator) for decorator in node.decorator_list]
    if any(name in REPLACED or name.endswith((".setter", ".deleter")) for name in names):
        return None
    return Function(
        qualname,
        node.lineno,
        _colour(node, names),
        node,
        is_property=any(name in PROPERTIES for name in names),
        plain=all(name in HARMLESS for name in names),
    )


def _colour(node: FunctionNode, decorators: list[str]) -> Colour:
    if isinstance(node, ast.FunctionDef):
        return Colour.SYNC
    if any(name.rpartition(".")[2] == "asynccontextmanager" for name in decorators):
        return Colour.ASYNC_CONTEXT
    return Colour.ASYNC_GENERATOR if is_generator(node) else Colour.COROUTINE


def decorator_name(decorator: ast.expr) -> str:
    """Return the dotted name of a decorator, called or not."""
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a body itself, not in the functions and classes within it."""
    pending: list[ast.AST] = list(getattr(node, "body", []))
    while pending:
        one = pending.pop()
        yield one
        if not isinstance(one, SCOPES):
            pending += children(one)


def is_generator(node: FunctionNode) -> bool:
    """Whether calling the function runs nothing but makes an iterator."""
    return any(isinstance(one, ast.Yield | ast.YieldFrom) for one in own_nodes(node))

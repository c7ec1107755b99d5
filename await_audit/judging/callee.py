"""Which function an expression calls, where it is defined, and why it returns at once."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from await_audit.finding import Definition, Span
from await_audit.judging.plain_values import Function
from await_audit.resolver.functions import HARMLESS, REPLACED, decorator_name, is_generator
from await_audit.source import Text, UndecodableError

TYPESHED = "pyrefly_bundled_typeshed"
"""How the folder begins into which pyrefly unpacks the library's declarations."""

COLOURING = {"contextmanager", "asynccontextmanager"}
KEEP_COLOUR = {name.rpartition(".")[2] for name in HARMLESS | REPLACED} - COLOURING
"""Decorators of the standard library whose result is awaitable if the function's own is."""


@dataclass(frozen=True, slots=True)
class Callee:
    """What an operand consists of.

    `node` is its outermost expression without brackets, `name` the name that is called or looked
    up, and `offset` where that name begins in the file; both are None where there is no name.
    """

    node: ast.expr
    name: str | None
    offset: int | None

    @property
    def called(self) -> bool:
        """Whether the expression is a call."""
        return isinstance(self.node, ast.Call)


def callee_of(text: Text, span: Span) -> Callee | None:
    """Take the expression in `span` apart; None if it does not parse by itself.

    It is parsed alone, because up to Python 3.11 `ast` gives wrong places inside f-strings.
    """
    begin = text.offset(span.line, span.column)
    source = f"({text.slice(span)}\n)"
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return None
    node = tree.body
    while isinstance(node, ast.NamedExpr):
        node = node.value
    target = node.func if isinstance(node, ast.Call) else node
    match target:
        case ast.Name(id=name):
            line, column = target.lineno, target.col_offset
        case ast.Attribute(attr=name, end_lineno=int(line), end_col_offset=int(end)):
            column = end - len(name.encode())
        case _:
            return Callee(node, None, None)
    # Without the bracket that stands before the expression.
    return Callee(node, name, begin + Text(source).byte_offset(line, column) - 1)


@dataclass(frozen=True, slots=True)
class Defined:
    """A function or a class as its file defines it; `owner` is the class that holds it."""

    path: Path
    node: Function | ast.ClassDef
    owner: ast.ClassDef | None
    rebound: bool

    @property
    def decorators(self) -> tuple[str, ...]:
        """The last names of the decorators."""
        return tuple(map(_last_name, self.node.decorator_list))

    @property
    def keeps_colour(self) -> bool:
        """Whether every decorator is known to leave it as synchronous as it is."""
        return KEEP_COLOUR.issuperset(self.decorators)

    @property
    def is_property(self) -> bool:
        """Whether it is read like an attribute."""
        return any(name.endswith("property") for name in self.decorators)

    @property
    def yields(self) -> bool:
        """Whether it is a generator."""
        return not isinstance(self.node, ast.ClassDef) and is_generator(self.node)


def look_up(path: Path, line: int) -> Defined | None:
    """Return the function or class that line `line` of a file defines, or None.

    A second name for one of the same scope, as in `fetch = load`, stands for what it names.
    """
    found = _named_lines(path).get(line)
    return _defined(path, *found, line) if found else None


class _Body(NamedTuple):
    """The body of a module, a class or a function; `bound` is what binds each name in it."""

    statements: list[ast.stmt]
    owner: ast.ClassDef | None
    bound: Mapping[str, Sequence[ast.AST]]


@functools.lru_cache(maxsize=256)
def _named_lines(path: Path) -> Mapping[int, tuple[_Body, str]]:
    """Return the body and the first name that each line of a file binds."""
    found: dict[int, tuple[_Body, str]] = {}
    tree = _parsed(path)
    for scope in ast.walk(tree) if tree else ():
        if isinstance(scope, ast.Module | ast.ClassDef | Function):
            owner = scope if isinstance(scope, ast.ClassDef) else None
            body = _Body(scope.body, owner, _bindings(scope.body))
            for line, name in _lines(scope.body):
                found.setdefault(line, (body, name))
    return found


def _defined(path: Path, body: _Body, name: str, line: int) -> Defined | None:
    other: str | None = name
    nodes: list[Function | ast.ClassDef] = []
    for _ in body.bound:  # as many second names as there can be, should two name each other
        bound = body.bound.get(other, ()) if other else ()
        nodes = [one for one in bound if isinstance(one, Function | ast.ClassDef)]
        if nodes or len(bound) != 1:
            break
        other = _second_name_of(other, body.statements) if other else None
    if not nodes:
        return None
    node = next((one for one in nodes if one.lineno == line), nodes[-1])
    others = [one for one in bound if one is not node and not _joins(one)]
    return Defined(path, node, body.owner, bool(others) and not _joins(node))


def _second_name_of(name: str, body: list[ast.stmt]) -> str | None:
    """Return the name that the one assignment of `name` gives it for, None if there is none."""
    match [one.value for one in body if isinstance(one, ast.Assign) and _targets(one) == [name]]:
        case [ast.Name(id=other)] if other != name:
            return other
        case _:
            return None


def _targets(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def _lines(body: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a body that bind a name by `def`, `class` or a plain assignment."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, Function | ast.ClassDef):
            yield node.lineno, node.name
            continue
        if isinstance(node, ast.Assign):
            for name in _targets(node):
                yield node.lineno, name
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            todo.extend(ast.iter_child_nodes(node))


def definition(callee: Callee, at: tuple[Path, int], returned: str | None) -> Definition:
    """Describe where `callee` is defined, and why what it returns cannot be awaited.

    `at` is file and line, `returned` the type of the operand as the type checker writes it.
    """
    path, line = at
    found = look_up(path, line)
    return Definition(_shown(path), line, _why(callee, found, returned))


def _why(callee: Callee, found: Defined | None, returned: str | None) -> str:
    name, what = callee.name, f" `{returned}`" if returned else " its result"
    if found is None:
        return f"`{name}` is{what}" if returned else f"`{name}` is no coroutine function"
    if isinstance(found.node, ast.ClassDef):
        return f"`{name}` is a class, so calling it makes an instance at once"
    if not callee.called and not found.is_property:
        kind = "async def" if isinstance(found.node, ast.AsyncFunctionDef) else "def"
        return f"`{name}` is the `{kind}` function itself, which is not called here"
    for manager, words in (("asynccontextmanager", "async with"), ("contextmanager", "with")):
        if manager in found.decorators:
            return f"`{name}` is a @{manager}, so its result is for `{words}`"
    return f"`{name}` is {_function(found, what)}"


def _function(found: Defined, what: str) -> str:
    if isinstance(found.node, ast.AsyncFunctionDef):
        if found.yields:
            return "an `async def` with `yield`, so its result is for `async for`"
        return "an `async def`, so calling it makes a coroutine and runs nothing"
    if found.is_property:
        return f"a property and a `def`, so it gives{what} at once"
    if found.yields:
        return "a `def` with `yield`, so it returns a generator at once"
    return f"a `def`, so it returns{what} at once"


def _shown(path: Path) -> Path:
    """Name the type checker's own declarations as what they are, without a temporary folder."""
    for index, part in enumerate(path.parts):
        if part.startswith(TYPESHED):
            return Path("typeshed", *path.parts[index + 1 :])
    return path


@functools.lru_cache(maxsize=256)
def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(Text.read(path).text)
    except (OSError, UndecodableError, SyntaxError, ValueError, RecursionError):
        return None


def _bindings(body: list[ast.stmt]) -> Mapping[str, Sequence[ast.AST]]:
    """Return what binds each name in a body, in the branches of its statements too."""
    found: dict[str, list[ast.AST]] = defaultdict(list)
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, Function | ast.ClassDef):
            found[node.name].append(node)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id].append(node)
        elif isinstance(node, ast.alias):
            found[node.asname or node.name].append(node)
        todo.extend(reversed(list(ast.iter_child_nodes(node))))
    return found


def _joins(node: ast.AST) -> bool:
    """Say whether a definition adds to another of its name: an overload, a property's setter."""
    if not isinstance(node, Function):
        return False
    names = map(_last_name, node.decorator_list)
    return not {"overload", "setter", "deleter", "getter"}.isdisjoint(names)


def _last_name(decorator: ast.expr) -> str:
    return decorator_name(decorator).rpartition(".")[2]

"""Whether an un-annotated function returns a value that cannot be awaited, whatever it is given.

A type checker gives an un-annotated parameter the type Unknown, and so it gives what is computed
from it: of `def double(n): return n * 2` it cannot say what an `await double(2)` does. That the
result of an arithmetic operator, of a comparison or of `len()` is no awaitable can be said all the
same; and that a parameter is none, where the caller gives it a literal.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from await_audit.resolver.functions import is_generator, own_nodes

Function = ast.FunctionDef | ast.AsyncFunctionDef

ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
"""The operators that no library makes awaitables of; `|` and `>>` are some library's pipes."""

MADE_HERE = (
    ast.Compare,
    ast.Constant,
    ast.Dict,
    ast.DictComp,
    ast.GeneratorExp,
    ast.JoinedStr,
    ast.Lambda,
    ast.List,
    ast.ListComp,
    ast.Set,
    ast.SetComp,
    ast.Tuple,
)

BUILT_IN = frozenset(
    [
        *("abs", "all", "any", "ascii", "bin", "bool", "bytes", "callable", "chr", "dict", "dir"),
        *("divmod", "enumerate", "float", "format", "frozenset", "hasattr", "hash", "hex", "id"),
        *("int", "isinstance", "issubclass", "len", "list", "oct", "ord", "print", "range", "repr"),
        *("reversed", "round", "set", "sorted", "str", "tuple", "zip"),
    ]
)

NAMES_OF_THINGS = frozenset({"__doc__", "__module__", "__name__", "__qualname__"})


def returned(function: Function) -> list[ast.expr] | None:
    """Return what a function returns, None if that does not decide its result.

    It does not in a generator, and where the signature says what is returned.
    """
    if function.returns is not None or isinstance(function, ast.AsyncFunctionDef):
        return None
    if is_generator(function):
        return None
    nodes = own_nodes(function)
    return [node.value for node in nodes if isinstance(node, ast.Return) and node.value]


def is_plain(function: Function, arguments: Mapping[str, ast.expr] | None = None) -> bool:
    """Say whether no call of `function` gives an awaitable.

    With `arguments`, by the names of the parameters, only of the call that gives these; without
    them a parameter counts as plain, so that the answer is yes where some call gives none.
    """
    values = returned(function)
    return bool(values) and all(_Scope(function, arguments).is_plain(node) for node in values or ())


def bind(function: Function, call: ast.Call, bound: bool) -> dict[str, ast.expr] | None:
    """Return the arguments of a call by the names of the parameters, the defaults included.

    `bound` says that the first parameter is given by the attribute access. None if the call does
    not tell, because of `*` or `**`.
    """
    spec = function.args
    positional = [one.arg for one in (*spec.posonlyargs, *spec.args)]
    defaults = positional[len(positional) - len(spec.defaults) :]
    found = dict(zip(defaults, spec.defaults, strict=True))
    for one, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if default is not None:
            found[one.arg] = default
    if any(isinstance(one, ast.Starred) for one in call.args):
        return None
    found.update(zip(positional[bound:], call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None:
            return None
        found[keyword.arg] = keyword.value
    return found


def _alternatives(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the expressions that decide whether `node` gives an awaitable."""
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _alternatives(value)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _alternatives(body)
            yield from _alternatives(orelse)
        case ast.NamedExpr(value=value):
            yield from _alternatives(value)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() | ast.Invert(), operand=operand):
            yield from _alternatives(operand)
        case _:
            yield node


class _Scope:
    def __init__(self, function: Function, arguments: Mapping[str, ast.expr] | None) -> None:
        self._function, self._arguments = function, arguments
        spec = function.args
        self._parameters = {one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
        self._collected = {one.arg for one in (spec.vararg, spec.kwarg) if one}
        self._assigned: dict[str, list[ast.expr | None]] = {}
        self._asked: set[str] = set()
        for node in own_nodes(function):
            self._collect(node)

    def is_plain(self, node: ast.expr) -> bool:
        """Say whether an expression gives no awaitable."""
        return all(map(self._is_plain, _alternatives(node)))

    def _is_plain(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name):
                return self._name(name)
            case ast.BinOp(op=operator):
                return isinstance(operator, ARITHMETIC)
            case ast.UnaryOp(op=ast.Not()):
                return True
            case ast.Attribute(attr=name):
                return name in NAMES_OF_THINGS
            case ast.Call(func=ast.Name(id=name)):
                known = name in BUILT_IN or name == self._function.name
                return known and name not in self._assigned and name not in self._parameters
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()) | ast.JoinedStr())):
                return True
            case _:
                return isinstance(node, MADE_HERE)

    def _name(self, name: str) -> bool:
        if name in self._asked:
            return True  # it is computed from itself, and the other values decide
        self._asked.add(name)
        values = self._assigned.get(name, [])
        if any(value is None or not self.is_plain(value) for value in values):
            return False
        if name in self._parameters:
            if self._arguments is None:
                return True
            given = self._arguments.get(name)
            return isinstance(given, MADE_HERE)
        return bool(values) or name in self._collected

    def _collect(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value)
            case (
                ast.AnnAssign(target=target, value=value)
                | ast.NamedExpr(target=target, value=value)
            ):
                self._bind(target, value)
            case ast.AugAssign(target=ast.Name(id=name), op=operator):
                value = ast.Constant(0) if isinstance(operator, ARITHMETIC) else None
                self._assigned.setdefault(name, []).append(value)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                for name in names:
                    self._assigned.setdefault(name, []).append(None)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                self._assigned.setdefault(name, []).append(None)
            case ast.alias(name=name, asname=other):
                self._assigned.setdefault(other or name, []).append(None)
            case ast.For(target=target) | ast.withitem(optional_vars=ast.expr() as target):
                self._bind(target, None)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._assigned.setdefault(node.name, []).append(None)

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            self._assigned.setdefault(target.id, []).append(value)
            return
        for inner in ast.walk(target):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self._assigned.setdefault(inner.id, []).append(None)

"""Whether an un-annotated function returns a value that cannot be awaited, whatever it is given.

A type checker gives an un-annotated parameter the type Unknown, and so it gives what is computed
from it: of `def double(n): return n * 2` it cannot say what an `await double(2)` does. That the
result of an arithmetic operator, of a comparison or of `len()` is no awaitable can be said all the
same; and that a parameter is none, where the caller gives it a literal.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from await_audit.engines.written_types import is_value, members
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
        *("reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip"),
    ]
)

OF_STRINGS = frozenset(
    [
        *("capitalize", "casefold", "count", "decode", "encode", "endswith", "find", "format"),
        *("hex", "index", "isdigit", "isoformat", "join", "lower", "lstrip", "replace", "rstrip"),
        *("split", "splitlines", "startswith", "strip", "title", "total_seconds", "upper"),
    ]
)
"""Methods of plain values that give plain values."""

OF_CONTAINERS = frozenset({"copy", "get", "items", "keys", "pop", "values"})
"""Methods of containers that give what these hold."""

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
    return bool(values) and all(Scope(function, arguments).is_plain(node) for node in values or ())


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


def is_literal(node: ast.expr) -> bool:
    """Say whether an expression consists of constants alone."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return False
    return True


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


class Scope:
    """The names of a function, and whether what it computes from them is plain.

    `known` says so of what its body does not tell. Without it a builtin's name counts as the
    builtin, and the function's own name as itself.
    """

    def __init__(
        self,
        function: Function,
        arguments: Mapping[str, ast.expr] | None,
        known: Callable[[ast.expr], bool] | None = None,
    ) -> None:
        self._function, self._arguments, self._known = function, arguments, known
        spec = function.args
        self._parameters = {one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
        self._collected = {one.arg for one in (spec.vararg, spec.kwarg) if one}
        self._assigned: dict[str, list[ast.expr | None]] = {}
        self._asked: set[str] = set()
        for node in own_nodes(function):
            self._collect(node)
        for node in ast.walk(function):
            if isinstance(node, ast.Nonlocal):
                self._assigned.update((name, [None]) for name in node.names)

    def is_plain(self, node: ast.expr) -> bool:
        """Say whether an expression gives no awaitable."""
        return all(map(self._is_plain, _alternatives(node)))

    def _is_plain(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(id=name) if self._is_own(name) or self._known is None:
                return self._name(name)
            case ast.BinOp(op=operator) if isinstance(operator, ARITHMETIC):
                return self._known is None or self._known(node)
            case ast.Compare() if self._known is not None:
                return self._known(node)
            case ast.UnaryOp(op=ast.Not()):
                return True
            case ast.Attribute(attr=name) if name in NAMES_OF_THINGS:
                return True
            case ast.Call(func=ast.Name(id=name)) if self._known is None:
                known = name in BUILT_IN or name == self._function.name
                return known and name not in self._assigned and name not in self._parameters
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()) | ast.JoinedStr())):
                return True
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if (
                name in OF_STRINGS and self.is_plain(value)
            ):
                return True
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if (
                name in OF_CONTAINERS and self._is_literal(value)
            ):
                return True
            case ast.Subscript(value=value) if self._is_literal(value):
                return True
            case ast.Call(func=ast.Name(id=name)) if name in self._assigned:
                return False
            case _:
                made = isinstance(node, MADE_HERE)
                return made or (self._known is not None and self._known(node))

    def _is_literal(self, node: ast.expr) -> bool:
        """Say whether an expression is written out, or a parameter that is given such a one."""
        if isinstance(node, ast.Name) and node.id not in self._assigned:
            node = (self._arguments or {}).get(node.id, node)
        return is_literal(node)

    def _is_own(self, name: str) -> bool:
        return name in self._assigned or name in self._parameters | self._collected

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
            if given is None:
                return self._is_declared(name)
            outside = self._known is not None and self._known(given)
            return isinstance(given, MADE_HERE) or outside
        return bool(values) or name in self._collected

    def _is_declared(self, name: str) -> bool:
        spec = self._function.args
        every = (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)
        declared = next((one.annotation for one in every if one.arg == name), None)
        return declared is not None and all(map(is_value, members(ast.unparse(declared))))

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

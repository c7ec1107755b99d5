"""Coroutines whose value is used for nothing that could await it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from await_audit.checks.coroutines import Coroutines, Source
from await_audit.finding import Finding
from await_audit.resolver.nodes import walk

SHOWN_BY = frozenset({"print", "str", "repr", "format", "bool", "id"})
"""Builtins that look at an object and do not keep it."""

CALLBACK_AT = {
    "add_done_callback": 0,
    "call_soon": 0,
    "call_soon_threadsafe": 0,
    "call_later": 1,
    "call_at": 1,
}
"""Methods of asyncio that call what they are given, and drop its result; which argument it is."""

LOOPS = frozenset({"get_event_loop", "get_running_loop", "new_event_loop"})
"""Functions of asyncio that return an event loop. A task group or a loop of somebody else's may
have methods of the same names that do await what they call (distributed, tornado)."""

Place = tuple[ast.expr, str, str]
"""An expression that makes a coroutine if it is a call of one, the rule, and what becomes of it."""


def dropped(source: Source, coroutines: Coroutines) -> Iterator[Finding]:
    """Yield the coroutines of a file that nobody can await."""
    for node in source.holding:
        for made, rule, fate in _places(node):
            function = coroutines.made_by(made, source)
            if function is not None:
                message = f"the coroutine of `{function[0].name}` {fate}; nobody awaits it"
                yield coroutines.finding(source, made, rule, message, function)
        if isinstance(node, ast.Call):
            yield from _callback(node, source, coroutines)


def _places(node: ast.AST) -> Iterator[Place]:
    match node:
        case ast.FormattedValue(value=value):
            yield value, "coroutine-in-text", "is put into a text as it is"
        case ast.Expr(value=value):
            for one in _thrown_away(value):
                yield one, "dropped-coroutine", "is made and thrown away"
        case ast.Assign(targets=[ast.Name(id="_")], value=value):
            yield value, "dropped-coroutine", "is assigned to `_`"
        case ast.Compare(left=left, comparators=others):
            for one in (left, *others):
                yield one, "compared-coroutine", "is compared itself, and not its result"
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in SHOWN_BY:
            for one in arguments:
                yield one, "shown-coroutine", f"is given to `{name}`"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            for one, name in _unread(node):
                yield one, "unread-coroutine", f"is kept in `{name}`, which is not read"


def _thrown_away(value: ast.expr) -> Iterator[ast.expr]:
    """Yield what may be made by an expression whose value is used for nothing.

    Not the expression itself, of which the type checkers complain.
    """
    match value:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            yield from parts
        case ast.ListComp(elt=part) | ast.SetComp(elt=part):
            yield part
        case ast.BoolOp(values=[*_, last]):
            yield last
            yield from _thrown_away(last)
        case ast.IfExp(body=body, orelse=orelse):
            for part in (body, orelse):
                yield part
                yield from _thrown_away(part)


def _unread(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[ast.expr, str]]:
    """Yield what is assigned to a local name that the function never reads, and the name."""
    assigned: list[tuple[ast.expr, str]] = []
    read: set[str] = {"_"}  # has a rule of its own
    for node in walk(function):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                read.update(names)
            case ast.ClassDef():  # what is assigned in its body is read from elsewhere
                read.update(one.id for one in walk(node) if isinstance(one, ast.Name))
            case ast.Assign(targets=targets, value=value):
                assigned += [pair for one in targets for pair in _pairs(one, value)]
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                assigned.append((value, name))
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                assigned.append((value, name))
    if read.isdisjoint({"locals", "vars", "eval", "exec"}):
        yield from ((value, name) for value, name in assigned if name not in read)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    match target, value:
        case ast.Name(id=name), _:
            yield value, name
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            for one, other in zip(targets, values, strict=True):
                yield from _pairs(one, other)


def _callback(call: ast.Call, source: Source, coroutines: Coroutines) -> Iterator[Finding]:
    """Yield the coroutine function that is given where a plain one is called."""
    match call.func:
        case ast.Attribute(attr=name) if len(call.args) > CALLBACK_AT.get(name, len(call.args)):
            given = call.args[CALLBACK_AT[name]]
            owner = call.func.value
        case _:
            return
    if name != "add_done_callback" and not _is_loop(owner, source):
        return
    if isinstance(given, ast.Lambda):
        function = coroutines.made_by(given.body, source)
    else:
        function = coroutines.function(given, source)
    if function is not None:
        message = f"`{name}` calls `{function[0].name}` and drops its coroutine; nobody awaits it"
        yield coroutines.finding(source, given, "coroutine-as-callback", message, function)


def _is_loop(owner: ast.expr, source: Source) -> bool:
    """Say whether an expression is an event loop of asyncio, or was made from one in this file."""
    if _gives_loop(owner):
        return True
    if source.loops is None:
        source.loops = {
            ast.unparse(target)
            for node in walk(source.tree)
            if isinstance(node, ast.Assign) and _gives_loop(node.value)
            for target in node.targets
        }
    return ast.unparse(owner) in source.loops


def _gives_loop(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in LOOPS
    return False

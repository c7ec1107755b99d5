"""Whether what a function gives can still be awaited, though it is no coroutine function any more.

``async def f(): return await g()`` may well become ``def f(): return g()``: then its callers await
as before, and none of them is left behind.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from enum import Enum

from await_audit.resolver import classes, declared
from await_audit.resolver.colour import Colour, Function
from await_audit.resolver.functions import decorator_name, is_generator, own_nodes
from await_audit.resolver.modules import Module
from await_audit.resolver.resolution import ANYTHING, Resolver
from await_audit.resolver.scopes import Assigned, Parameter
from await_audit.resolver.values import Foreign, Instance, Values


class Answer(Enum):
    """Whether something is so."""

    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


NAMES = {
    Colour.COROUTINE: frozenset({"Awaitable", "Coroutine", "Future", "Task"}),
    Colour.ASYNC_GENERATOR: frozenset({"AsyncIterator", "AsyncIterable", "AsyncGenerator"}),
    Colour.ASYNC_CONTEXT: frozenset({"AsyncContextManager", "AbstractAsyncContextManager"}),
}
"""Names in an annotation that say so."""

METHODS = {
    Colour.COROUTINE: "__await__",
    Colour.ASYNC_GENERATOR: "__aiter__",
    Colour.ASYNC_CONTEXT: "__aenter__",
}

VAGUE_NAMES = frozenset({"Any", "object"}).union(*NAMES.values())
"""Names in an annotation that leave open whether a value is to be awaited."""


def names_in(annotation: ast.expr) -> frozenset[str]:
    """Return the identifiers in an annotation, quoted ones included."""
    return frozenset(re.findall(r"\w+", ast.unparse(annotation)))


def still_gives(was: Function, now: Function, module: Module, resolver: Resolver) -> Answer:
    """Whether what was right for `was` is right for `now` as well; `now` is in `module`."""
    if was.colour is Colour.SYNC and (_is_coroutine_by_decorator(was) or _promises(was, now)):
        return Answer.YES
    if not was.plain or not now.plain:
        return Answer.MAYBE  # a decorator may change the colour
    if was.colour is Colour.SYNC or now.colour is not Colour.SYNC or is_generator(now.node):
        return Answer.NO
    judge = _Judge(was, now, module, resolver)
    answer = judge.declared()
    return answer if answer is not Answer.MAYBE else judge.returned()


def _is_coroutine_by_decorator(function: Function) -> bool:
    """Whether it was a coroutine function before Python had `async def`."""
    names = {decorator_name(one) for one in function.node.decorator_list}
    return bool(names & {"coroutine", "asyncio.coroutine", "types.coroutine", "gen.coroutine"})


def _promises(was: Function, now: Function) -> bool:
    """Whether a synchronous function was declared to give what the asynchronous one gives."""
    returns = was.node.returns
    return returns is not None and bool(names_in(returns) & NAMES[now.colour])


class _Judge:
    def __init__(self, was: Function, now: Function, module: Module, resolver: Resolver) -> None:
        self._was = was
        self._now = now
        self._module = module
        self._resolver = resolver
        awaited = {id(one.value) for one in ast.walk(was.node) if isinstance(one, ast.Await)}
        self._values_before = {
            ast.unparse(one)
            for one in ast.walk(was.node)
            if isinstance(one, ast.Call | ast.Attribute | ast.Subscript) and id(one) not in awaited
        }
        self._active: set[str] = set()

    def declared(self) -> Answer:
        """Judge by the annotation."""
        returns = self._now.node.returns
        if returns is None:
            return Answer.MAYBE
        names = names_in(returns)
        if names & NAMES[self._was.colour]:
            return Answer.YES
        values = declared.instances(self._resolver, returns, self._module)
        known = self._judged(values)
        if known is not Answer.MAYBE:
            return known
        is_builtin = names <= {"None", "str", "int", "bool", "float", "bytes", "dict", "list"} | {
            *("tuple", "set", "frozenset", "Iterator", "Iterable", "Sequence", "Mapping"),
        }
        # A coroutine function that is declared to give X gave X once awaited.
        before = self._was.node.returns
        is_same = before is not None and ast.unparse(before) == ast.unparse(returns)
        is_same = is_same and self._was.colour is Colour.COROUTINE and not names & VAGUE_NAMES
        return Answer.NO if is_builtin or is_same else Answer.MAYBE

    def returned(self) -> Answer:
        """Judge by the expressions that are returned."""
        returns = [one for one in own_nodes(self._now.node) if isinstance(one, ast.Return)]
        return _together(self._expression(one.value) for one in returns if one.value is not None)

    def _expression(self, node: ast.expr) -> Answer:
        match node:
            case ast.IfExp():
                return _together(map(self._expression, (node.body, node.orelse)))
            case ast.BoolOp():
                return _together(map(self._expression, node.values))
            case ast.Name():
                return self._name(node)
            case ast.Call() | ast.Attribute() | ast.Subscript():
                return self._value(node)
            case ast.NamedExpr():
                return self._expression(node.value)
            case _:
                return Answer.NO  # a literal, an operation, a comprehension, a lambda

    def _name(self, node: ast.Name) -> Answer:
        scope = self._module.scopes[self._now.node]
        if node.id not in scope.bindings or node.id in self._active:
            return self._judged(self._resolver.value(node, self._module))
        self._active.add(node.id)
        answers = []
        for binding in scope.bindings[node.id]:
            match binding:
                case Assigned(value=ast.expr() as value):
                    answers.append(self._expression(value))
                case Parameter():
                    arguments = self._was.node.args
                    before = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                    same = any(one.arg == node.id for one in before)
                    answers.append(Answer.NO if same else Answer.MAYBE)
                case _:
                    answers.append(Answer.MAYBE)
        self._active.discard(node.id)
        return _together(answers)

    def _value(self, node: ast.expr) -> Answer:
        if isinstance(node, ast.Call):
            callees = self._resolver.reference(node.func, self._module)
            functions = [self._resolver.function(one) for one in callees]
            if all(one is not None and one.colour is self._was.colour for one in functions):
                return Answer.YES
            if all(isinstance(one, Foreign) and _is_plain_builtin(one.name) for one in callees):
                return Answer.NO
        known = self._judged(self._resolver.value(node, self._module))
        if known is Answer.MAYBE and ast.unparse(node) in self._values_before:
            return Answer.NO  # it was a value before, without an await of it
        return known

    def _judged(self, values: Values) -> Answer:
        """Judge by the classes of the project."""
        return _together(self._has_method(one) for one in values) if values else Answer.NO

    def _has_method(self, value: object) -> Answer:
        if not isinstance(value, Instance):
            return Answer.MAYBE
        found = classes.attribute(self._resolver, value, METHODS[self._was.colour])
        if found == frozenset({Foreign()}):
            return Answer.NO
        return Answer.YES if all(self._resolver.function(one) for one in found) else Answer.MAYBE


def _is_plain_builtin(name: str) -> bool:
    package, _, last = name.rpartition(".")
    return package == "builtins" and last not in ANYTHING


def _together(answers: Iterable[Answer]) -> Answer:
    found = set(answers) or {Answer.NO}
    return found.pop() if len(found) == 1 else Answer.MAYBE

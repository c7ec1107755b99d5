"""How the result of a call is used: awaited, iterated, entered, or as a plain value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from await_audit.drift import takers
from await_audit.drift.results import VAGUE_NAMES, names_in
from await_audit.resolver.colour import Colour
from await_audit.resolver.functions import FUNCTIONS
from await_audit.resolver.modules import Module
from await_audit.resolver.resolution import Resolver


class Use(Enum):
    """What a place takes a value for; after `PASSED` that shows only further on."""

    AWAIT = Colour.COROUTINE
    ITERATE = Colour.ASYNC_GENERATOR
    ENTER = Colour.ASYNC_CONTEXT
    PLAIN = Colour.SYNC
    PASSED = None


@dataclass(frozen=True, slots=True)
class Place:
    """One use: the node that a reader looks for, and what it does with the function `{}`.

    `certain` is false if the variable there may hold something else.
    """

    use: Use
    node: ast.expr
    how: str
    certain: bool = True


BARE = "calls {} without await"
PASSED = "passes on the result of {}"


def places(node: ast.expr, module: Module, resolver: Resolver) -> list[Place]:
    """Return what becomes of the value of `node`, which is a call or a property."""
    return list(_Uses(module, resolver).of(node, inside=False))


def given(node: ast.expr, module: Module, resolver: Resolver) -> Place | None:
    """Return what becomes of a function that is not called where it is named.

    `None` if that only gives it another name, whose uses are judged by themselves.
    """
    parent = module.parents[node]
    if isinstance(parent, ast.Assign) and all(
        isinstance(target, ast.Name) for target in parent.targets
    ):
        return None
    if isinstance(parent, ast.keyword):
        parent = module.parents[parent]
    if isinstance(parent, ast.Call) and parent.func is not node:
        starts = takers.starts(parent, module, resolver)
        if starts is not None:
            return Place(Use(starts), node, f"gives {{}} to {takers.called_name(parent)}()")
    return Place(Use.PASSED, node, "passes on {}")


class _Uses:
    def __init__(self, module: Module, resolver: Resolver) -> None:
        self._module = module
        self._resolver = resolver
        self._followed: set[tuple[ast.AST, str]] = set()

    def of(self, node: ast.expr, *, inside: bool) -> Iterator[Place]:
        """Yield what becomes of a value; `inside` says that a collection holds it."""
        parent = self._module.parents[node]
        match parent:
            case ast.Await():
                yield Place(Use.PASSED if inside else Use.AWAIT, parent, "awaits {}")
            case ast.comprehension() | ast.For() | ast.AsyncFor() if node is parent.iter:
                yield from self._loop(node, parent, inside=inside)
            case ast.withitem() if isinstance(self._module.parents[parent], ast.AsyncWith):
                yield Place(Use.ENTER, node, "enters {} with async with")
            case ast.NamedExpr() | ast.Assign() | ast.AnnAssign():
                yield from self._bound(node, parent, inside=inside)
            case ast.Call() | ast.keyword():
                yield from self._in_call(node, parent, inside=inside)
            case ast.Return():
                yield self._returned(node, inside=inside)
            case ast.Lambda() | ast.Yield() | ast.YieldFrom() | ast.Dict() | ast.DictComp():
                yield Place(Use.PASSED, node, PASSED)
            case ast.Attribute() if inside:
                return  # a method of the collection: what it holds is not touched
            case _:
                yield from self._in_expression(node, parent, inside=inside)

    def _in_expression(self, node: ast.expr, parent: ast.AST, *, inside: bool) -> Iterator[Place]:
        """Yield what becomes of the expression that a value is a part of, if that has the value."""
        match parent:
            case ast.Starred() | ast.IfExp() | ast.BoolOp() if node is not _test(parent):
                yield from self.of(parent, inside=inside)
            case ast.Tuple() | ast.List() | ast.Set():
                yield from self._element(node, parent)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() if node is parent.elt:
                yield from self.of(parent, inside=True)
            case _:
                yield self._plain(node, inside=inside)

    def _bound(
        self, node: ast.expr, parent: ast.NamedExpr | ast.Assign | ast.AnnAssign, *, inside: bool
    ) -> Iterator[Place]:
        if isinstance(parent, ast.NamedExpr):
            yield from self.of(parent, inside=inside)
        for target in parent.targets if isinstance(parent, ast.Assign) else [parent.target]:
            yield from self._assigned(node, target, inside=inside)

    def _in_call(
        self, node: ast.expr, parent: ast.Call | ast.keyword, *, inside: bool
    ) -> Iterator[Place]:
        call = self._module.parents[parent] if isinstance(parent, ast.keyword) else parent
        if isinstance(call, ast.Call) and call.func is node:
            yield self._plain(node, inside=inside)
        elif isinstance(call, ast.Call):
            yield from self._argument(node, call, inside=inside)

    def _plain(self, node: ast.expr, *, inside: bool) -> Place:
        return Place(Use.PASSED, node, PASSED) if inside else Place(Use.PLAIN, node, BARE)

    def _element(self, node: ast.expr, parent: ast.Tuple | ast.List | ast.Set) -> Iterator[Place]:
        above = self._module.parents[parent]
        if isinstance(above, ast.Assign) and not isinstance(node, ast.Starred):
            number = parent.elts.index(node)
            for target in above.targets:  # a, b = f(), g()
                if not isinstance(target, ast.Tuple | ast.List):
                    continue
                if len(target.elts) == len(parent.elts):
                    yield from self._assigned(node, target.elts[number], inside=False)
                    return
        yield from self.of(parent, inside=True)

    def _loop(
        self, node: ast.expr, loop: ast.comprehension | ast.For | ast.AsyncFor, *, inside: bool
    ) -> Iterator[Place]:
        if isinstance(loop, ast.AsyncFor) or (
            isinstance(loop, ast.comprehension) and loop.is_async
        ):
            use = Use.PASSED if inside else Use.ITERATE
            yield Place(use, node, "iterates over {} with async for")
        elif inside and isinstance(loop.target, ast.Name):
            yield from self._variable(node, loop.target, inside=False)
        else:
            yield self._plain(node, inside=inside)

    def _assigned(self, node: ast.expr, target: ast.expr, *, inside: bool) -> Iterator[Place]:
        if isinstance(target, ast.Name):
            yield from self._variable(node, target, inside=inside)
        elif isinstance(target, ast.Attribute | ast.Subscript) or inside:
            yield Place(Use.PASSED, node, "keeps the result of {}")
        else:
            yield self._plain(node, inside=False)

    def _variable(self, node: ast.expr, target: ast.Name, *, inside: bool) -> Iterator[Place]:
        """Follow a variable through the scope that binds it."""
        scope = self._module.scope_of(target).owner(target.id)
        if scope is None or (scope.node, target.id) in self._followed:
            return
        self._followed.add((scope.node, target.id))
        only = len(scope.bindings[target.id]) == 1
        is_local = isinstance(scope.node, (*FUNCTIONS, ast.Lambda)) or inside
        found = False
        for one in ast.walk(scope.node):
            match one:
                case ast.Name(id=name, ctx=ast.Load()) if name == target.id:
                    if self._module.scope_of(one).owner(name) is not scope:
                        continue
                    for place in self.of(one, inside=inside):
                        found = True
                        yield place if only else replace(place, certain=False)
        if not found:
            yield self._plain(node, inside=inside or not is_local)

    def _argument(self, node: ast.expr, call: ast.Call, *, inside: bool) -> Iterator[Place]:
        taken = takers.takes(call, self._module, self._resolver)
        name = takers.called_name(call)
        if taken is Colour.SYNC:
            yield self._plain(node, inside=inside)
        elif taken is not None:
            yield Place(Use(taken), node, f"gives the result of {{}} to {name}()")
        elif takers.grows(call):
            assert isinstance(call.func, ast.Attribute)
            assert isinstance(call.func.value, ast.Name)
            yield from self._variable(node, call.func.value, inside=True)
        else:
            yield Place(Use.PASSED, node, PASSED)

    def _returned(self, node: ast.expr, *, inside: bool) -> Place:
        function = next(
            one for one in self._module.above(node) if isinstance(one, (*FUNCTIONS, ast.Lambda))
        )
        returns = getattr(function, "returns", None)
        vague = returns is not None and bool(names_in(returns) & VAGUE_NAMES)
        is_async = isinstance(function, ast.AsyncFunctionDef)
        if inside or vague or (returns is None and not is_async):
            return Place(Use.PASSED, node, "returns the result of {}")
        return Place(Use.PLAIN, node, "returns the result of {} without await")


def _test(parent: ast.AST) -> ast.expr | None:
    return parent.test if isinstance(parent, ast.IfExp) else None

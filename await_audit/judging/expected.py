"""Whether somebody expects that an `await` fails: a test of it, or a handler of its TypeError.

Who catches the `TypeError` of a superfluous `await` may do so on purpose; without the `await` the
program would do something else. Looked at are the blocks around the place and, by name, those
around the calls of the function that it stands in, and of the functions that call that one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from await_audit.judging.project import Project, last_name
from await_audit.resolver.functions import FUNCTIONS, decorator_name, is_generator, own_nodes
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.values import ClassValue, Foreign, FunctionValue

CAUGHT = frozenset({"TypeError", "Exception", "BaseException"})
WORDS = ("raises", "assertraises", "suppress", "ignor", "expect", "swallow", "xfail", "catch")
"""What the names of those functions hold that expect an exception."""

RUNS = re.compile(r"\basyncio\.run\(|\brun_until_complete\(|\bdef test_|__main__")
"""What a script or a test has: elsewhere a handler of every exception keeps a server going."""

DEEPEST = 3
"""So many calls are followed upwards: the way of a failure through a whole server tells nothing."""


def is_expected(node: ast.AST, module: Module, project: Project) -> bool:
    """Say whether the failure of what stands at a node is expected."""
    search = _Search(project)
    if search.is_caught(node, module, broad=True) or search.is_caught_in(node, module):
        return True
    seen: set[str] = set()
    todo = [(name, path, 0) for name, path in _around(node, module)]
    while todo:
        name, path, calls = todo.pop(0)
        if name in seen or calls == DEEPEST:
            continue
        seen.add(name)
        for other in project.files_with(name):
            if other not in project.importers(path):
                continue
            called = project.module(other)
            for use in walk(called.tree) if called else ():
                if not isinstance(use, ast.Name | ast.Attribute) or last_name(use) != name:
                    continue
                assert called
                if search.is_caught_in(use, called):
                    return True
                broad = other == path or RUNS.search(project.texts[other]) is not None
                if search.is_caught(use, called, broad=broad):
                    return True
                todo += [(outer, where, calls + 1) for outer, where in _around(use, called)]
    return False


def _around(node: ast.AST, module: Module) -> Iterator[tuple[str, Path]]:
    for one in module.above(node):
        if isinstance(one, FUNCTIONS):
            yield one.name, Path(module.path)


class _Search:
    def __init__(self, project: Project) -> None:
        self._project = project

    def is_caught(self, node: ast.AST, module: Module, *, broad: bool) -> bool:
        """Say whether a block, a call or a decorator around a node may catch a `TypeError`.

        `broad`: by a handler of every exception too.
        """
        below = node
        for one in module.above(node):
            match one:
                case ast.Try() | ast.TryStar() if below in one.body:
                    if self._catches(one, module, broad):
                        return True
                case ast.With() | ast.AsyncWith() if below in one.body:
                    if any(self._is_guard(item.context_expr, module) for item in one.items):
                        return True
                case ast.Call() if below is not one.func:
                    if self._is_guard(one, module) or _returns_exceptions(one):
                        return True
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    if any(self._is_guard(each, module) for each in one.decorator_list):
                        return True
                    if isinstance(one, FUNCTIONS) and self._enters_guard(one, module):
                        return True
            below = one
        return False

    def is_caught_in(self, node: ast.AST, module: Module) -> bool:
        """Say whether the function around a node handles a `TypeError` by that name, or asks a task
        for its exception.
        """
        scope = next((one for one in module.above(node) if isinstance(one, FUNCTIONS)), module.tree)
        inside = own_nodes(scope) if scope is module.tree else walk(scope)
        if any(isinstance(one, ast.Call) and _asks(one) for one in inside):
            return True
        for one in own_nodes(scope):
            if isinstance(one, ast.Try | ast.TryStar) and self._catches(one, module, broad=False):
                return True
            if isinstance(one, ast.With | ast.AsyncWith) and any(
                self._is_guard(item.context_expr, module) for item in one.items
            ):
                return True
        return False

    def _enters_guard(self, function: ast.AST, module: Module) -> bool:
        """Say whether a function puts a guard on a stack, or asks a task for its exception."""
        for one in walk(function):
            if (
                isinstance(one, ast.Call)
                and last_name(one.func)
                in {
                    "enter_context",
                    "enter_async_context",
                }
                and any(self._is_guard(each, module) for each in one.args)
            ):
                return True
        return False

    def _catches(self, block: ast.Try | ast.TryStar, module: Module, broad: bool) -> bool:
        leaves = (ast.Return, ast.Break, ast.Continue)
        if any(isinstance(one, leaves) for each in block.finalbody for one in walk(each)):
            return True
        return any(
            self._may_catch(one.type, module, broad=False)
            if _raises(one)
            else self._may_catch(one.type, module, broad)
            for one in block.handlers
            if not _passes_on(one)
        )

    def _may_catch(self, caught: ast.expr | None, module: Module, broad: bool) -> bool:
        if caught is None:
            return broad
        if isinstance(caught, ast.Tuple):
            return any(self._may_catch(one, module, broad) for one in caught.elts)
        for value in self._project.resolver.value(caught, module):
            match value:
                case ClassValue():
                    continue
                case Foreign(name=str() as dotted) if dotted:
                    last = dotted.rpartition(".")[2]
                    if last == "TypeError" or (last in CAUGHT and broad):
                        return True
                case _:
                    return True
        return False

    def _is_guard(self, node: ast.expr, module: Module) -> bool:
        """Say whether an expression makes what expects an exception."""
        call = node.func if isinstance(node, ast.Call) else node
        name = last_name(call).lower()
        for value in self._project.resolver.reference(call, module):
            match value:
                case Foreign(name=str() as dotted) if dotted:
                    name = f"{name} {dotted.rpartition('.')[2]}".lower()
                case ClassValue() | FunctionValue():
                    if self._is_own_guard(value):
                        return True
        if not any(word in name for word in WORDS):
            return False
        given = (
            [*node.args, *(one.value for one in node.keywords)]
            if isinstance(node, ast.Call)
            else []
        )
        classes = [one for one in given if isinstance(one, ast.Name | ast.Attribute | ast.Tuple)]
        return not classes or any(self._may_catch(one, module, broad=True) for one in classes)

    def _is_own_guard(self, value: ClassValue | FunctionValue) -> bool:
        module = self._project.tree.module(value.path)
        for node, qualname in module.qualnames.items() if module else ():
            if qualname != value.qualname or module is None:
                continue
            if isinstance(node, ast.ClassDef) and any(
                isinstance(inner, FUNCTIONS)
                and inner.name in {"__exit__", "__aexit__"}
                and any(
                    isinstance(one, ast.Return) and not (one.value is None or _is_false(one.value))
                    for one in walk(inner)
                )
                for inner in node.body
            ):
                return True
            is_manager = isinstance(node, FUNCTIONS) and (
                is_generator(node)
                or any("contextmanager" in decorator_name(one) for one in node.decorator_list)
            )
            inside = [one for one in walk(node) if isinstance(one, ast.Try | ast.TryStar)]
            wraps = isinstance(node, FUNCTIONS) and any(
                isinstance(one, FUNCTIONS) and one is not node for one in walk(node)
            )
            if (is_manager or wraps) and any(
                self._catches(one, module, broad=True) for one in inside
            ):
                return True
        return False


def _asks(call: ast.Call) -> bool:
    """Say whether a task is asked for its exception, or a loop for those of all tasks."""
    name = last_name(call.func)
    return name == "set_exception_handler" or (
        name == "exception" and isinstance(call.func, ast.Attribute) and not call.args
    )


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler ends in raising what it caught."""
    match handler.body[-1]:
        case ast.Raise(exc=None):
            return True
        case ast.Raise(exc=ast.Name(id=name)):
            return name == handler.name
        case _:
            return False


def _raises(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler ends in raising something: then what failed still fails."""
    return isinstance(handler.body[-1], ast.Raise)


def _returns_exceptions(call: ast.Call) -> bool:
    return any(one.arg == "return_exceptions" and not _is_false(one.value) for one in call.keywords)

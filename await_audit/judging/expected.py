"""Whether somebody expects that an `await` fails: a test of it, or a handler of its TypeError.

Who catches the `TypeError` of a superfluous `await` may do so on purpose; without the `await` the
program would do something else. Looked at are the blocks around the place and, by name, those
around the calls of the function that it stands in, and of the functions that call that one.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

from await_audit.judging.project import Project, last_name
from await_audit.resolver.classes import lineage
from await_audit.resolver.functions import FUNCTIONS, decorator_name, is_generator, own_nodes
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.scopes import Assigned, Opaque, Parameter
from await_audit.resolver.values import ClassValue, Foreign, FunctionValue, Unknown, Value

CAUGHT = frozenset({"TypeError", "Exception", "BaseException"})
WORDS = ("raises", "assertraises", "suppress", "ignor", "expect", "swallow", "xfail", "catch")
"""What the names of those functions hold that expect an exception."""
ALONE = frozenset({"asyncio.wait", "threading.Thread", "threading.Timer"})
"""What runs a function whose failure then stays where it is."""

WAITING = frozenset(
    {"gather", "result", "run", "run_until_complete", "shield", "wait_for", "exception"}
)
STACKS = frozenset({"enter_context", "enter_async_context"})
PUSHES = frozenset({"push", "push_async_exit"})

COMMON = frozenset(name for kind in (dict, list, set, str, io.RawIOBase) for name in dir(kind))
"""Names that any object may have a method of."""

RUNS = re.compile(r"\basyncio\.run\(|\brun_until_complete\(|\bdef test_|__main__")
"""What a script or a test has: elsewhere a handler of every exception keeps a server going."""

DEEPEST = 3
"""So many calls are followed upwards: the way of a failure through a whole server tells nothing."""


def is_expected(node: ast.AST, module: Module, project: Project) -> bool:
    """Say whether the failure of what stands at a node is expected."""
    search = _Search(project)
    if search.is_caught(node, module):
        return True
    seen: set[str] = set()
    todo = [(function, module, 0) for function in _around(node, module)]
    while todo:
        function, where, calls = todo.pop(0)
        if function.name in seen or calls == DEEPEST:
            continue
        seen.add(function.name)
        if search.is_registered(function, where):
            return True
        for use, user in _uses(function.name, Path(where.path), project):
            if search.is_caught(use, user) or search.is_handed_on(use, user):
                return True
            todo += [(outer, user, calls + 1) for outer in _around(use, user)]
    return False


def _around(node: ast.AST, module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (one for one in module.above(node) if isinstance(one, FUNCTIONS))


def _uses(name: str, path: Path, project: Project) -> Iterator[tuple[ast.expr, Module]]:
    """Yield what has a function's name, in the files that import the function's own."""
    for other in project.files_with(name):
        module = project.module(other) if other in project.importers(path) else None
        for use in walk(module.tree) if module else ():
            if isinstance(use, ast.Name | ast.Attribute) and last_name(use) == name:
                assert module
                if _may_be(use, module, project):
                    yield use, module


def _may_be(use: ast.expr, module: Module, project: Project) -> bool:
    """Say whether what has a function's name may be one of the project."""
    if isinstance(use, ast.Name):
        owner = module.scope_of(use).owner(use.id)
        bound = owner.bindings[use.id] if owner else []
        return not bound or not all(isinstance(one, Parameter | Opaque) for one in bound)
    values = project.resolver.reference(use, module)
    if last_name(use) in COMMON and Unknown() in values:
        return False
    return not all(isinstance(one, Foreign) for one in values)


class _Search:
    """Looks for handlers; `_raised` is what the failure is raised as, the further up."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._raised: set[Value] = set()

    def _is_script(self, module: Module) -> bool:
        """Say whether a handler of every exception counts in a module: a script's or a test's."""
        return RUNS.search(self._project.texts[Path(module.path)]) is not None and any(
            (isinstance(one, FUNCTIONS) and one.name.startswith("test_"))
            or (isinstance(one, ast.Call) and last_name(one.func) in {"run", "run_until_complete"})
            or (isinstance(one, ast.If) and "__main__" in ast.unparse(one.test))
            for one in walk(module.tree)
        )

    def is_caught(self, node: ast.AST, module: Module) -> bool:
        """Say whether a block, a call or a decorator around a node may catch a `TypeError`, or
        another block of the same function, that waits for something, does so by that name.
        """
        below, broad = node, self._is_script(module)
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
            below = one
        return self._is_caught_in(node, module)

    def _is_caught_in(self, node: ast.AST, module: Module) -> bool:
        """Say whether the function around a node handles a `TypeError` by that name, has something
        that does so, or asks a task for its exception.
        """
        scope = next(_around(node, module), module.tree)
        return any(
            self._is_asking(one, module)
            for one in (own_nodes(scope) if scope is module.tree else walk(scope))
        ) or any(
            self._catches(one, module, broad=False)
            if isinstance(one, ast.Try | ast.TryStar)
            else any(self._is_guard(item.context_expr, module) for item in one.items)
            for one in own_nodes(scope)
            if isinstance(one, ast.Try | ast.TryStar | ast.With | ast.AsyncWith)
            and any(_waits(each) for part in one.body for each in walk(part))
        )

    def _is_asking(self, node: ast.AST, module: Module) -> bool:
        """Say whether a task is asked for its exception, a loop for those of all tasks, or a stack
        gets what catches one.
        """
        match node:
            case ast.Call(args=given):
                name = last_name(node.func)
                asks = name == "exception" and isinstance(node.func, ast.Attribute) and not given
                return (
                    asks
                    or name == "set_exception_handler"
                    or name in PUSHES
                    or (name in STACKS and any(self._is_guard(one, module) for one in given))
                    or self._runs_alone(node, module)
                )
            case ast.Attribute(attr="excepthook", ctx=ast.Store()):
                return True
            case _:
                return False

    def is_registered(self, function: ast.AST, module: Module) -> bool:
        """Say whether a decorator may keep a function for somebody who catches its failure."""
        assert isinstance(function, FUNCTIONS)
        return any(self._is_given_to(one, module) for one in function.decorator_list)

    def is_handed_on(self, use: ast.expr, module: Module) -> bool:
        """Say whether a function goes somewhere where its failure is caught."""
        parent = module.parents.get(use)
        if isinstance(parent, ast.Call) and parent.func is use:
            return False
        given = isinstance(parent, ast.Call) and self._is_given_to(parent, module)
        return given or self._runs_handed_on(module)

    def _is_given_to(self, taker: ast.expr, module: Module) -> bool:
        function = taker.func if isinstance(taker, ast.Call) else taker
        return any(
            isinstance(value, FunctionValue)
            and (other := self._project.tree.module(value.path)) is not None
            and self._runs_handed_on(other)
            for value in self._project.resolver.reference(function, module)
        )

    def _runs_handed_on(self, module: Module) -> bool:
        """Say whether a file catches the failures of functions that it does not name, by a handler
        of every exception if that is in a loop.
        """
        return any(
            isinstance(one, ast.Try)
            and self._catches(one, module, _is_in_loop(one, module) or self._is_script(module))
            and any(_calls_variable(each, module) for part in one.body for each in walk(part))
            for one in walk(module.tree)
        )

    def _catches(self, block: ast.Try | ast.TryStar, module: Module, broad: bool) -> bool:
        leaves = (ast.Return, ast.Break, ast.Continue)
        if any(isinstance(one, leaves) for each in block.finalbody for one in walk(each)):
            return True
        for handler in block.handlers:
            last = handler.body[-1]
            if _passes_on(handler):
                continue
            if self._may_catch(handler.type, module, broad=False):
                return True
            if self._may_catch(handler.type, module, broad=True):
                if isinstance(last, ast.Raise) and last.exc:
                    made = last.exc.func if isinstance(last.exc, ast.Call) else last.exc
                    self._raised |= self._project.resolver.value(made, module)
                elif broad:
                    return True
        return False

    def _may_catch(self, caught: ast.expr | None, module: Module, broad: bool) -> bool:
        if caught is None:
            return broad
        if isinstance(caught, ast.Tuple):
            return any(self._may_catch(one, module, broad) for one in caught.elts)
        return any(
            # An attribute that leads nowhere is some library's: it is known by its name.
            self._is_caught_by(
                Foreign(ast.unparse(caught))
                if value == Unknown() and isinstance(caught, ast.Attribute)
                else value,
                broad,
            )
            for value in self._project.resolver.value(caught, module)
        )

    def _is_caught_by(self, value: Value, broad: bool) -> bool:
        match value:
            case ClassValue():
                return any(
                    value in lineage(self._project.resolver, one)
                    for one in self._raised
                    if isinstance(one, ClassValue)
                )
            case Foreign(name=str() as dotted) if dotted:
                last = dotted.rpartition(".")[2]
                return last == "TypeError" or (last in CAUGHT and broad) or value in self._raised
            case _:
                return True

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
        if isinstance(node, ast.Call) and self._runs_alone(node, module):
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

    def _runs_alone(self, call: ast.Call, module: Module) -> bool:
        return any(
            isinstance(value, Foreign) and value.name in ALONE
            for value in self._project.resolver.reference(call.func, module)
        )

    def _is_own_guard(self, value: ClassValue | FunctionValue) -> bool:
        module = self._project.tree.module(value.path)
        return module is not None and any(
            self._is_manager_class(node, module)
            if isinstance(node, ast.ClassDef)
            else self._is_guarding_function(node, module)
            for node, qualname in module.qualnames.items()
            if qualname == value.qualname
        )

    def _is_manager_class(self, node: ast.ClassDef, module: Module) -> bool:
        return any(self._is_guard(base, module) for base in node.bases) or any(
            isinstance(one, ast.Return) and not (one.value is None or _is_false(one.value))
            for inner in node.body
            if isinstance(inner, FUNCTIONS) and inner.name in {"__exit__", "__aexit__"}
            for one in walk(inner)
        )

    def _is_guarding_function(self, node: ast.AST, module: Module) -> bool:
        """Say whether a function is a manager or a decorator that catches."""
        if not isinstance(node, FUNCTIONS):
            return False
        inside = walk(node)
        return (
            is_generator(node)
            or any("contextmanager" in decorator_name(one) for one in node.decorator_list)
            or any(isinstance(one, FUNCTIONS) and one is not node for one in inside)
        ) and any(
            isinstance(one, ast.Try | ast.TryStar) and self._catches(one, module, broad=True)
            for one in inside
        )


def _waits(node: ast.AST) -> bool:
    """Say whether a node waits for what was begun elsewhere."""
    match node:
        case ast.Await(value=ast.Name() | ast.Attribute() | ast.Subscript()):
            return True
        case ast.Call():
            return last_name(node.func) in WAITING
        case _:
            return False


def _calls_variable(node: ast.AST, module: Module) -> bool:
    """Say whether a node calls what a parameter, a loop or an assignment gives."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            owner = module.scope_of(node).owner(name)
            return owner is not None and any(
                isinstance(one, Parameter | Opaque | Assigned) for one in owner.bindings[name]
            )
        case ast.Call(func=ast.Subscript()):
            return True
        case _:
            return False


def _is_in_loop(node: ast.AST, module: Module) -> bool:
    return any(isinstance(one, ast.For | ast.AsyncFor | ast.While) for one in module.above(node))


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


def _returns_exceptions(call: ast.Call) -> bool:
    return any(one.arg == "return_exceptions" and not _is_false(one.value) for one in call.keywords)

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

from await_audit.judging.names import Names
from await_audit.judging.plain_values import Function
from await_audit.judging.project import Project, last_name
from await_audit.judging.targets import owner
from await_audit.resolver.classes import lineage
from await_audit.resolver.functions import FUNCTIONS, own_nodes
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.scopes import Assigned, Imported, Opaque, Parameter
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

KEEPS = re.compile(r"set_exc|callback|put|append")
RUNS = frozenset({"run", "run_until_complete"})

DEEPEST = 3
"""So many calls are followed upwards: the way of a failure through a whole server tells nothing."""


def _around(node: ast.AST, module: Module) -> Iterator[Function]:
    return (one for one in module.above(node) if isinstance(one, FUNCTIONS))


class Handlers:
    """Looks for what catches a failure."""

    def __init__(self, project: Project, names: Names) -> None:
        self._project, self._names = project, names
        self._scripts: dict[str, bool] = {}
        self._raised: set[ClassValue] = set()

    def expect(self, node: ast.AST, module: Module) -> bool:
        """Say whether the failure of what stands at a node is expected."""
        self._raised.clear()  # what handlers raise in its place
        if self._is_caught(node, module, silent=True):
            return True
        seen: set[str] = set()
        todo = [(function, module, 0) for function in _around(node, module)]
        while todo:
            function, where, calls = todo.pop(0)
            if function.name in seen or calls == DEEPEST:
                continue
            seen.add(function.name)
            if any(self._is_given_to(one, where) for one in function.decorator_list):
                return True
            for use, user in self._uses(function, where):
                if self._is_caught(use, user) or self._is_handed_on(use, user):
                    return True
                todo += [(outer, user, calls + 1) for outer in _around(use, user)]
        return False

    def _uses(self, function: Function, where: Module) -> Iterator[tuple[ast.expr, Module]]:
        """Yield what may stand for a function, in the files that import the function's own."""
        importers = self._project.importers(Path(where.path))
        for path in self._project.files_with(function.name):
            module = self._project.module(path) if path in importers else None
            for use in walk(module.tree) if module else ():
                if isinstance(use, ast.Name | ast.Attribute) and last_name(use) == function.name:
                    assert module
                    if self._may_be(use, module, function, where):
                        yield use, module

    def _may_be(self, use: ast.expr, module: Module, function: Function, where: Module) -> bool:
        """Say whether what has a function's name stands for it: as far as is known, or in a
        script, where not everything is declared.
        """
        own = owner(function, where)
        for value in self._project.resolver.reference(use, module):
            if isinstance(value, FunctionValue):
                other, base = Path(value.path), value.qualname.rpartition(".")[0]
                if (value.path, value.qualname) == (where.path, where.qualnames[function]):
                    return True
                if own and self._names.meet(
                    (Path(where.path), own.name), (other, base.rpartition(".")[2])
                ):
                    return True  # an override of it, or what it overrides
            elif value == Unknown() and last_name(use) not in COMMON and self._is_script(module):
                return True
        return False

    def _is_script(self, module: Module) -> bool:
        """Say whether a module is a script or a test that nobody imports: elsewhere a handler of
        every exception keeps a server going.
        """
        if module.path not in self._scripts:
            is_imported = len(self._project.importers(Path(module.path))) > 1
            self._scripts[module.path] = not is_imported and any(
                (isinstance(one, ast.If) and "__main__" in ast.unparse(one.test))
                or (
                    isinstance(one, FUNCTIONS)
                    and one.name.startswith("test_")
                    and not any(_around(one, module))
                )
                or (isinstance(one, ast.Name | ast.Attribute) and _runs(one, module))
                for one in walk(module.tree)
            )
        return self._scripts[module.path]

    def _is_caught(self, node: ast.AST, module: Module, *, silent: bool = False) -> bool:
        """Say whether a block, a call or a decorator around a node may catch a `TypeError`, or
        another block of the same function, that waits for something, does so by that name.

        `silent`: a handler of every exception that tells nobody counts too.
        """
        below, broad = node, self._is_script(module)
        for one in module.above(node):
            match one:
                case ast.Try() | ast.TryStar() if below in one.body:
                    if self._catches(one, module, broad, silent=silent):
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
            if self._is_script(module)
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

    def _is_handed_on(self, use: ast.expr, module: Module) -> bool:
        """Say whether a function goes somewhere where its failure is caught."""
        parent = module.parents.get(use)
        if isinstance(parent, ast.Call) and parent.func is use:
            return False
        given = isinstance(parent, ast.Call) and self._is_given_to(parent, module)
        return given or (self._is_script(module) and self._runs_variable(module.tree, module))

    def _is_given_to(self, taker: ast.expr, module: Module) -> bool:
        """Say whether a function of the project, or the script that it stands in, runs what it is
        given and catches the failure.
        """
        function = taker.func if isinstance(taker, ast.Call) else taker
        for value in self._project.resolver.reference(function, module):
            found = self._project.resolver.function(value)
            if isinstance(value, FunctionValue) and found:
                other = self._project.tree.module(value.path)
                assert other
                where = other.tree if self._is_script(other) else found.node
                if self._runs_variable(where, other):
                    return True
        return False

    def _runs_variable(self, where: ast.AST, module: Module) -> bool:
        """Say whether a block catches the failures of functions that it does not name, by a handler
        of every exception if it is in a loop or a script.
        """
        broad = self._is_script(module)
        return any(
            isinstance(one, ast.Try)
            and self._catches(one, module, broad or _is_in_loop(one, module))
            and any(
                _calls_variable(each, module, broad) for part in one.body for each in walk(part)
            )
            for one in walk(where)
        )

    def _catches(
        self, block: ast.Try | ast.TryStar, module: Module, broad: bool, *, silent: bool = False
    ) -> bool:
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
                    values = self._project.resolver.value(made, module)
                    self._raised |= {one for one in values if isinstance(one, ClassValue)}
                elif broad or (silent and _is_silent(handler)):
                    return True
        return False

    def _may_catch(self, caught: ast.expr | None, module: Module, broad: bool) -> bool:
        if caught is None:
            return broad
        if isinstance(caught, ast.Tuple):
            return any(self._may_catch(one, module, broad) for one in caught.elts)
        if isinstance(caught, ast.Name) and (owner := module.scope_of(caught).owner(caught.id)):
            values = list(self._project.assigned(caught.id, owner, module))
            tuples = [(one, where) for one, where in values if isinstance(one, ast.Tuple)]
            if tuples and len(tuples) == len(values):
                return any(self._may_catch(one, where, broad) for one, where in tuples)
            imported = all(isinstance(one, Imported) for one in owner.bindings[caught.id])
        else:
            imported = isinstance(caught, ast.Attribute)
        return any(
            # What an import leads nowhere for is some library's: it is known by its name.
            self._is_caught_by(
                Foreign(ast.unparse(caught)) if imported and value == Unknown() else value, broad
            )
            for value in self._project.resolver.value(caught, module)
        )

    def _is_caught_by(self, value: Value, broad: bool) -> bool:
        match value:
            case ClassValue():
                return any(value in lineage(self._project.resolver, one) for one in self._raised)
            case Foreign(name=str() as dotted) if dotted:
                last = dotted.rpartition(".")[2]
                return last == "TypeError" or (last in CAUGHT and broad)
            case _:
                return True

    def _is_guard(self, node: ast.expr, module: Module) -> bool:
        """Say whether an expression makes what expects an exception."""
        call = node.func if isinstance(node, ast.Call) else node
        values = self._project.resolver.reference(call, module)
        own = [one for one in values if isinstance(one, ClassValue | FunctionValue)]
        if own:
            return any(map(self._is_own_guard, own))
        if isinstance(node, ast.Call) and self._runs_alone(node, module):
            return True
        dotted = [one.name for one in values if isinstance(one, Foreign) and one.name]
        name = " ".join([last_name(call), *(one.rpartition(".")[2] for one in dotted)]).lower()
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
        """Say whether a function is a manager or a decorator that catches, for good."""
        return isinstance(node, FUNCTIONS) and any(
            isinstance(one, ast.Try | ast.TryStar)
            and any(_calls_variable(each, module) for part in one.body for each in walk(part))
            and not any(map(_is_kept, one.handlers))
            and self._catches(one, module, broad=True)
            for one in walk(node)
        )


def _runs(function: ast.expr, module: Module) -> bool:
    """Say whether a function runs coroutines when its module is loaded."""
    return last_name(function) in RUNS and not any(_around(function, module))


def _waits(node: ast.AST) -> bool:
    """Say whether a node waits for what was begun elsewhere."""
    match node:
        case ast.Await(value=ast.Name() | ast.Attribute() | ast.Subscript()):
            return True
        case ast.Call():
            return last_name(node.func) in WAITING
        case _:
            return False


def _calls_variable(node: ast.AST, module: Module, every: bool = False) -> bool:
    """Say whether a node calls what a parameter gives, or waits for what is done with a manager.

    `every`: or what a loop, a table or an assignment gives.
    """
    match node:
        case ast.Call(func=ast.Name(id=name)):
            kinds = Parameter | Opaque | Assigned if every else Parameter
            scope = module.scope_of(node).owner(name)
            return scope is not None and any(isinstance(one, kinds) for one in scope.bindings[name])
        case ast.Call(func=ast.Subscript()):
            return every
        case ast.Yield():
            return True
        case _:
            return False


def _is_kept(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler keeps what it caught, for somebody who raises it."""
    return any(
        (isinstance(one, ast.Assign) and last_name(one.value) == handler.name)
        or (isinstance(one, ast.Call) and KEEPS.search(last_name(one.func)) is not None)
        for one in walk(handler)
    )


def _is_silent(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler goes on as if there was nothing, and tells nobody."""
    return not any(
        isinstance(one, ast.Call) or (isinstance(one, ast.Name) and one.id == handler.name)
        for one in walk(handler)
    )


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

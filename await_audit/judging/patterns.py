"""Which texts an expression may give, as far as the project's own text tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from await_audit.judging.plain_values import bind
from await_audit.judging.project import Project, last_name
from await_audit.resolver.functions import FUNCTIONS
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.scopes import Assigned, Binding, Imported, Opaque, Parameter, Scope
from await_audit.resolver.values import ModuleValue

ANY = ".*"
FOLLOWED = 4
"""So many variables are followed to the texts that they hold."""


class Patterns:
    """Makes regular expressions that match what expressions may give."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def of(self, text: ast.expr, module: Module, steps: int = FOLLOWED) -> str:
        """Return such an expression; `ANY` where nothing is known."""
        match text:
            case ast.Constant(value=str() as written):
                return re.escape(written)
            case ast.JoinedStr(values=parts):
                return _joined(self.of(one, module, steps) for one in parts)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.of(value, module, steps)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return _joined(self.of(one, module, steps) for one in (left, right))
            case ast.Name(id=name) if steps:
                owner = module.scope_of(text).owner(name)
                bindings = owner.bindings[name] if owner else ()
                if owner and any(isinstance(one, Imported | Assigned) for one in bindings):
                    return self._assigned(name, owner, module, steps)
                return _either(
                    one for each in bindings for one in self._given(each, text, module, steps - 1)
                )
            case ast.Attribute(value=value, attr=name) if steps:
                modules = [
                    self._project.tree.find(one.name, module.path)
                    if isinstance(one, ModuleValue)
                    else None
                    for one in self._project.resolver.value(value, module)
                ]
                found = [self._project.tree.module(one) if one else None for one in modules]
                return _either(
                    self._assigned(name, one.scope, one, steps) if one else ANY for one in found
                )
            case _:
                return ANY

    def _assigned(self, name: str, scope: Scope, module: Module, steps: int) -> str:
        values = self._project.assigned(name, scope, module)
        return _either(self.of(one, where, steps - 1) if one else ANY for one, where in values)

    def _given(self, binding: Binding, at: ast.Name, module: Module, steps: int) -> list[str]:
        """Return what a binding may give a name."""
        match binding:
            case Parameter(function=ast.FunctionDef() | ast.AsyncFunctionDef() as function):
                return self._arguments(function, at.id, module, steps)
            case Opaque():
                return self._looped(at, module, steps)
            case _:
                return [ANY]

    def _arguments(
        self,
        function: ast.FunctionDef | ast.AsyncFunctionDef,
        name: str,
        module: Module,
        steps: int,
    ) -> list[str]:
        """Return what the calls of a function give a parameter."""
        found = []
        scope = module.scopes[function].parent
        is_method = scope is not None and isinstance(scope.node, ast.ClassDef)
        for use, other in self.uses(function):
            call = other.parents.get(use)
            given = bind(function, call, is_method) if isinstance(call, ast.Call) else None
            value = (
                given.get(name)
                if given and isinstance(call, ast.Call) and call.func is use
                else None
            )
            found.append(self.of(value, other, steps) if value else ANY)
        return found or [ANY]

    def uses(self, function: ast.AST) -> Iterator[tuple[ast.expr, Module]]:
        """Yield what has a function's name, but for the names that Python itself calls."""
        name = getattr(function, "name", "__")
        for path in self._project.files_with(name) if not name.startswith("__") else ():
            module = self._project.module(path)
            for one in walk(module.tree) if module else ():
                if isinstance(one, ast.Name | ast.Attribute) and last_name(one) == name:
                    assert module
                    yield one, module

    def _looped(self, at: ast.Name, module: Module, steps: int) -> list[str]:
        """Return what a loop gives its variable: the items that are written out, or the keys that a
        dictionary gets in the file.
        """
        found: list[str] = []
        for one in walk(function_of(at, module)):
            if not isinstance(one, ast.For | ast.AsyncFor | ast.comprehension):
                continue
            targets = one.target.elts if isinstance(one.target, ast.Tuple) else [one.target]
            places = [n for n, each in enumerate(targets) if last_name(each) == at.id]
            for place in places:
                index = place if isinstance(one.target, ast.Tuple) else None
                found += self._items(one.iter, index, module, steps)
        return found or [ANY]

    def _items(self, source: ast.expr, index: int | None, module: Module, steps: int) -> list[str]:
        match source:
            case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
                if index is None:
                    return [self.of(one, module, steps) for one in items]
                return [
                    self.of(one.elts[index], module, steps)
                    if isinstance(one, ast.Tuple | ast.List) and len(one.elts) > index
                    else ANY
                    for one in items
                ]
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=held), attr="items")):
                return self._keys(held, module, steps) if index == 0 else [ANY]
            case _:
                return [ANY]

    def _keys(self, held: str, module: Module, steps: int) -> list[str]:
        """Return the keys that an attribute gets, if nothing else is done to it but reading."""
        found: list[str] = []
        for one in walk(module.tree):
            if not isinstance(one, ast.Attribute) or one.attr != held:
                continue
            parent = module.parents.get(one)
            match parent:
                case ast.Subscript(slice=key, ctx=ast.Store()):
                    found.append(self.of(key, module, steps))
                case ast.Assign(value=ast.Dict(keys=[])) | ast.AnnAssign(value=ast.Dict(keys=[])):
                    continue
                case ast.Subscript() | ast.Attribute(attr="items" | "get" | "pop" | "values"):
                    continue
                case _:
                    found.append(ANY)
        return found


def function_of(node: ast.AST, module: Module) -> ast.AST:
    """Return the function that a node stands in, else the module."""
    return next((one for one in module.above(node) if isinstance(one, FUNCTIONS)), module.tree)


def _either(patterns: Iterable[str]) -> str:
    found = sorted(set(patterns)) or [ANY]
    return ANY if ANY in found else f"(?:{'|'.join(found)})"


def _joined(parts: Iterable[str]) -> str:
    return "".join(parts).replace(ANY + ANY, ANY)

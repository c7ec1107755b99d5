"""Resolving expressions: imports, re-exports, methods, annotated and constructed instances.

Everything here is an estimate from the text, on the safe side: where a name has several bindings
all of them count, and what is not understood is `Unknown`, never a guess.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from await_audit.resolver import classes, declared
from await_audit.resolver.colour import Colour, Function
from await_audit.resolver.functions import is_generator, own_nodes
from await_audit.resolver.modules import Module, Tree
from await_audit.resolver.scopes import (
    Assigned,
    Binding,
    Defined,
    Entered,
    Imported,
    Parameter,
    Scope,
)
from await_audit.resolver.values import (
    FOREIGN,
    UNKNOWN,
    ClassValue,
    Foreign,
    FunctionValue,
    Instance,
    ModuleValue,
    Super,
    Value,
    Values,
)

DEPTH = 60
"""Steps after which an expression counts as not understood."""

ANYTHING = frozenset({"getattr", "next", "max", "min", "vars", "eval", "sum", "iter", "anext"})
"""Builtins that may give an object of the project."""


class Resolver:
    """Tells what expressions of the modules of a tree stand for."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._members = classes.Members()
        self._active: set[object] = set()
        self._known: dict[tuple[ast.AST, bool], Values] = {}

    def reference(self, node: ast.expr, module: Module) -> Values:
        """Return what an expression stands for; a property stands for its function."""
        return self._once((node, False), lambda: self._expression(node, module))

    def value(self, node: ast.expr, module: Module) -> Values:
        """Return what an expression gives."""
        return self._once((node, True), lambda: self._given(self.reference(node, module)))

    def _given(self, references: Values) -> Values:
        return _union(map(self._unwrapped, references)) if references else references

    def _once(self, key: tuple[ast.AST, bool], resolve: Callable[[], Values]) -> Values:
        if key not in self._known:
            self._known[key] = self._guarded(key, resolve)
        return self._known[key]

    def _guarded(self, key: object, resolve: Callable[[], Values]) -> Values:
        """Resolve something that may lead back to itself, or too far."""
        if key in self._active or len(self._active) >= DEPTH:
            return UNKNOWN
        self._active.add(key)
        try:
            return resolve()
        finally:
            self._active.discard(key)

    def function(self, value: Value) -> Function | None:
        """Return the function that a value stands for."""
        if not isinstance(value, FunctionValue):
            return None
        module = self.tree.module(value.path)
        return module.functions.get(value.qualname) if module else None

    def _unwrapped(self, value: Value) -> Values:
        function = self.function(value)
        if function is not None and function.is_property:
            return self.result(value)
        return frozenset({value})

    def _expression(self, node: ast.expr, module: Module) -> Values:
        match node:
            case ast.Name():
                return self.name(node.id, module.scope_of(node), module)
            case ast.Attribute():
                owners = self.value(node.value, module)
                return _union(self.attribute(one, node.attr, module) for one in owners)
            case ast.Call():
                return self._call(node, module)
            case ast.Await(value=ast.Call() as call):
                return _union(self.result(one) for one in self.reference(call.func, module))
            case ast.IfExp():
                return self.value(node.body, module) | self.value(node.orelse, module)
            case ast.BoolOp():
                return _union(self.value(one, module) for one in node.values)
            case ast.NamedExpr():
                return self.value(node.value, module)
            case ast.Await() | ast.Subscript() | ast.Starred() | ast.Yield() | ast.YieldFrom():
                return UNKNOWN
            case ast.Constant(value=None):
                return frozenset()  # beside something else, `None` says only "not yet"
            case _:
                return FOREIGN

    # Names

    def name(self, name: str, scope: Scope, module: Module) -> Values:
        """Return what a name stands for where `scope` is the innermost one."""
        owner = scope.owner(name)
        if owner is not None:
            bindings = owner.bindings[name]
            return _union(self.binding(one, module) for one in bindings)
        starred = [self._star(one, name, module) for one in module.scope.stars]
        found = [one for one in starred if one != UNKNOWN]
        if found:
            return found[-1]
        if hasattr(builtins, name):
            return frozenset({Foreign(f"builtins.{name}")})
        return UNKNOWN

    def _star(self, star: Imported, name: str, module: Module) -> Values:
        source = absolute(star, module)
        if self.tree.find(source, module.path) is None:
            return UNKNOWN
        return self.member(source, name, module)

    def binding(self, binding: Binding, module: Module) -> Values:
        """Return what a binding binds a name to."""
        match binding:
            case Imported(name=None):
                return frozenset({ModuleValue(binding.module)})
            case Imported(name=str() as name):
                return self.member(absolute(binding, module), name, module)
            case Defined(node=ast.ClassDef() as node):
                return frozenset({ClassValue(module.path, module.qualnames[node])})
            case Defined(node=node):
                return frozenset({FunctionValue(module.path, module.qualnames[node])})
            case Assigned(annotation=ast.expr() as annotation):
                promised = declared.instances(self, annotation, module)
                if binding.value is None or promised not in (UNKNOWN, FOREIGN):
                    return promised
                return self.value(binding.value, module)
            case Assigned(value=ast.expr() as value):
                return self.value(value, module)
            case Parameter():
                return self._parameter(binding, module)
            case Entered():
                return self._entered(binding, module)
            case _:
                return UNKNOWN

    def members(self, node: ast.ClassDef) -> Mapping[str, list[Binding]]:
        """Return what the methods of a class assign to attributes of their instance."""
        return self._members.of(node)

    def _parameter(self, parameter: Parameter, module: Module) -> Values:
        if parameter.annotation is not None:
            return declared.instances(self, parameter.annotation, module)
        around = module.scopes[parameter.function].parent  # a branch in a class body is none
        owner = around.node if around else None
        if not parameter.is_first or not isinstance(owner, ast.ClassDef):
            return UNKNOWN
        return classes.receiver(parameter.function, owner, module)

    def _entered(self, entered: Entered, module: Module) -> Values:
        contexts = self.value(entered.context, module)
        entries = (self.attribute(one, entered.method, module) for one in contexts)
        return _union(self.result(method) for method in _union(entries))

    def member(self, name: str, attribute: str, importer: Module) -> Values:
        """Return what a name means that is imported from a module, by that module's name."""
        path = self.tree.find(name, importer.path)
        dotted = f"{name}.{attribute}" if name else attribute
        module = self.tree.module(path) if path is not None else None
        if module is not None:
            if attribute in module.scope.bindings:
                key, scope = (path, attribute), module.scope
                return self._guarded(key, partial(self.name, attribute, scope, module))
            for star in reversed(module.scope.stars):
                through = (path, attribute, star.module)
                found = self._guarded(through, partial(self._star, star, attribute, module))
                if found != UNKNOWN:
                    return found
        if self.tree.find(dotted, importer.path) or self.tree.has_package(dotted):
            return frozenset({ModuleValue(dotted)})
        if path is not None or self.tree.has_package(name):
            return UNKNOWN  # made at run time, or in a file that cannot be read
        return frozenset({Foreign(dotted)})

    # Attributes and calls

    def attribute(self, value: Value, name: str, module: Module) -> Values:
        """Return what an attribute of a value stands for."""
        match value:
            case ModuleValue():
                return self.member(value.name, name, module)
            case ClassValue() | Instance() | Super():
                return classes.attribute(self, value, name)
            case Foreign(name=str() as dotted) if dotted:
                return frozenset({Foreign(f"{dotted}.{name}")})
            case Foreign():
                return FOREIGN
            case _:
                return UNKNOWN

    def _call(self, node: ast.Call, module: Module) -> Values:
        return _union(self._called(one, node, module) for one in self.reference(node.func, module))

    def _called(self, callee: Value, node: ast.Call, module: Module) -> Values:
        match callee:
            case ClassValue():
                return frozenset({Instance(callee.path, callee.qualname, exact=True)})
            case FunctionValue():
                function = self.function(callee)
                sync = function is not None and function.colour is Colour.SYNC
                return self.result(callee) if sync else UNKNOWN
            case Foreign(name="builtins.super") if not node.args:
                return classes.parent(node, module)
            case Foreign(name="typing.cast") if len(node.args) == 2:
                return declared.instances(self, node.args[0], module)
            case Foreign(name=str() as dotted) if dotted:
                package, _, last = dotted.rpartition(".")
                is_known = package == "builtins" and last not in ANYTHING
                return FOREIGN if is_known or last[:1].isupper() else UNKNOWN
            case _:
                return UNKNOWN

    def result(self, callee: Value) -> Values:
        """Return what a function gives, awaited if need be: as declared, else as it returns."""
        function = self.function(callee)
        if function is None or not isinstance(callee, FunctionValue) or not function.plain:
            return UNKNOWN
        module = self.tree.module(callee.path)
        if module is None or function.colour is Colour.ASYNC_GENERATOR:
            return UNKNOWN
        if function.node.returns is not None:
            return declared.instances(self, function.node.returns, module)
        if is_generator(function.node):
            return UNKNOWN
        returned = [one.value for one in own_nodes(function.node) if isinstance(one, ast.Return)]
        return _union(self.value(one, module) for one in returned if one is not None)


def absolute(imported: Imported, module: Module) -> str:
    """Return the dotted name of the module that an import names."""
    if not imported.level:
        return imported.module
    base = module.package.split(".") if module.package else []
    base = base[: max(len(base) - (imported.level - 1), 0)]
    return ".".join([*base, *([imported.module] if imported.module else [])])


def _union(parts: Iterable[Values]) -> Values:
    found: Values = frozenset()
    for part in parts:
        found |= part
    return found or UNKNOWN

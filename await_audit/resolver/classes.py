"""Attributes of classes and instances of the project, along their bases."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from await_audit.resolver.functions import FUNCTIONS, decorator_name
from await_audit.resolver.lookup import Lookup
from await_audit.resolver.modules import Module
from await_audit.resolver.scopes import Assigned, Binding, Opaque
from await_audit.resolver.values import (
    FOREIGN,
    UNKNOWN,
    ClassValue,
    Foreign,
    Instance,
    Super,
    Values,
)

ON_CLASS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
BARE = frozenset({
    *("object", "ABC", "Protocol", "Generic", "NamedTuple", "TypedDict", "Enum", "IntEnum"),
    *("StrEnum", "Flag", "IntFlag", "dict", "list", "set", "tuple", "str", "int", "bytes"),
})  # fmt: skip
"""Bases from outside that have no coroutine function."""


class Members:
    """What the methods of each class assign to attributes of their instance."""

    def __init__(self) -> None:
        self._known: dict[ast.ClassDef, dict[str, list[Binding]]] = {}

    def of(self, node: ast.ClassDef) -> dict[str, list[Binding]]:
        """Return the bindings of each attribute."""
        if node not in self._known:
            found = self._known[node] = {}
            for name, binding in _assigned(node):
                found.setdefault(name, []).append(binding)
        return self._known[node]


def _assigned(node: ast.ClassDef) -> Iterator[tuple[str, Binding]]:
    for method in node.body:
        if not isinstance(method, FUNCTIONS):
            continue
        arguments = [*method.args.posonlyargs, *method.args.args]
        owner = arguments[0].arg if arguments else None
        alone: dict[ast.AST, Binding] = {}
        for one in ast.walk(method):
            if isinstance(one, ast.Assign):
                alone |= dict.fromkeys(one.targets, Assigned(one.value))
            elif isinstance(one, ast.AnnAssign):
                alone[one.target] = Assigned(one.value, one.annotation)
        for one in ast.walk(method):
            match one:
                case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()) if name == owner:
                    yield one.attr, alone.get(one, Opaque())


def receiver(function: ast.AST, owner: ast.ClassDef, module: Module) -> Values:
    """Return what the first parameter of a function in a class body stands for."""
    if not isinstance(function, FUNCTIONS):
        return UNKNOWN
    names = {decorator_name(one) for one in function.decorator_list}
    qualname = module.qualnames[owner]
    if "staticmethod" in names:
        return UNKNOWN
    if "classmethod" in names or function.name in ON_CLASS:
        return frozenset({ClassValue(module.path, qualname)})
    return frozenset({Instance(module.path, qualname)})


def parent(node: ast.AST, module: Module) -> Values:
    """Return what ``super()`` is at a node."""
    for one in module.above(node):
        if isinstance(one, ast.ClassDef):
            return frozenset({Super(module.path, module.qualnames[one])})
    return UNKNOWN


def lineage(resolver: Lookup, one: ClassValue) -> list[ClassValue | None]:
    """Return a class and its bases in the order of a lookup; `None` stands for an unknown base."""
    found: list[ClassValue | None] = []
    _collect(resolver, one, found, frozenset())
    # Of a base that is reached twice, the later place counts, as in Python's own order.
    return [base for n, base in enumerate(found) if base is None or base not in found[n + 1 :]]


def _collect(
    resolver: Lookup,
    one: ClassValue,
    found: list[ClassValue | None],
    above: frozenset[ClassValue],
) -> None:
    module = resolver.tree.module(one.path)
    node = module.classes.get(one.qualname) if module else None
    if module is None or node is None or one in above:
        found.append(None)
        return
    found.append(one)
    for base in node.bases:
        bare = base.value if isinstance(base, ast.Subscript) else base
        for value in resolver.value(bare, module):
            if isinstance(value, ClassValue):
                _collect(resolver, value, found, above | {one})
            elif not (isinstance(value, Foreign) and _is_bare(value)):
                found.append(None)


def _is_bare(base: Foreign) -> bool:
    last = base.name.rpartition(".")[2]
    return last in BARE or last.endswith(("Error", "Exception"))


def attribute(resolver: Lookup, value: ClassValue | Instance | Super, name: str) -> Values:
    """Return what an attribute stands for, looked up along the bases."""
    bases = lineage(resolver, ClassValue(value.path, value.qualname))
    found: Values = frozenset()
    for base in bases[1:] if isinstance(value, Super) else bases:
        module = resolver.tree.module(base.path) if base is not None else None
        if base is None or module is None:
            found |= UNKNOWN
            continue
        node = module.classes[base.qualname]
        bound = list(module.scopes[node].bindings.get(name, ()))
        if isinstance(value, Instance):
            bound += resolver.members(node).get(name, [])
        if bound:
            for binding in bound:
                found |= resolver.binding(binding, module)
            return found or UNKNOWN
        if "__getattr__" in module.scopes[node].bindings:
            found |= UNKNOWN
    return found or FOREIGN

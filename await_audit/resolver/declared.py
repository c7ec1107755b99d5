"""What an annotation promises: instances of which classes of the project."""

from __future__ import annotations

import ast

from await_audit.resolver.functions import Unparsable, parse
from await_audit.resolver.lookup import Lookup
from await_audit.resolver.modules import Module
from await_audit.resolver.values import FOREIGN, UNKNOWN, ClassValue, Foreign, Instance, Values

TRANSPARENT = frozenset({"Annotated", "ClassVar", "Final", "Optional", "Required", "NotRequired"})
VAGUE = frozenset({"Any", "object"})


def instances(resolver: Lookup, annotation: ast.expr, module: Module) -> Values:
    """Return what a value of this annotation is; `None` beside a class adds nothing."""
    match annotation:
        case ast.Constant(value=None):
            return frozenset()
        case ast.Constant(value=str() as text):
            return _quoted(resolver, text, annotation, module)
        case ast.BinOp(op=ast.BitOr()):
            left = instances(resolver, annotation.left, module)
            return left | instances(resolver, annotation.right, module)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return _subscripted(resolver, name, annotation, module)
        case ast.Name(id="Self") | ast.Attribute(attr="Self"):
            return _self(annotation, module)
        case ast.Name() | ast.Attribute():
            return _named(resolver, annotation, module)
        case _:
            return UNKNOWN


def _quoted(resolver: Lookup, text: str, place: ast.expr, module: Module) -> Values:
    try:
        (statement,) = parse(f"({text})".encode()).body
    except (Unparsable, ValueError):
        return UNKNOWN
    if not isinstance(statement, ast.Expr):
        return UNKNOWN
    for node in ast.walk(statement):  # it is read as if it stood where the string stands
        for child in ast.iter_child_nodes(node):
            module.parents[child] = node
    module.parents[statement] = module.parents[place]
    return instances(resolver, statement.value, module)


def _subscripted(resolver: Lookup, name: str, annotation: ast.Subscript, module: Module) -> Values:
    arguments = annotation.slice
    several = arguments.elts if isinstance(arguments, ast.Tuple) else [arguments]
    if name in TRANSPARENT:
        return instances(resolver, several[0], module)
    if name == "Union":
        found: Values = frozenset()
        for one in several:
            found |= instances(resolver, one, module)
        return found
    if name in {"type", "Type"}:
        return frozenset(
            ClassValue(one.path, one.qualname) if isinstance(one, Instance) else one
            for one in instances(resolver, several[0], module)
        )
    return _named(resolver, annotation.value, module)


def _self(place: ast.expr, module: Module) -> Values:
    for node in module.above(place):
        if isinstance(node, ast.ClassDef):
            return frozenset({Instance(module.path, module.qualnames[node])})
    return UNKNOWN


def _named(resolver: Lookup, annotation: ast.expr, module: Module) -> Values:
    found: Values = frozenset()
    for one in resolver.value(annotation, module):
        match one:
            case ClassValue():
                found |= {Instance(one.path, one.qualname)}
            case Foreign(name=str() as dotted) if dotted and dotted.rpartition(".")[2] not in VAGUE:
                found |= FOREIGN
            case _:
                found |= UNKNOWN  # a type variable among others
    return found

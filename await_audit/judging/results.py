"""Whether a function gives plain values only, by its own text and by that of what it calls."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from await_audit.engines.written_types import is_one_class, is_value
from await_audit.judging.callee import KEEP_COLOUR, TYPESHED
from await_audit.judging.containers import Containers
from await_audit.judging.names import Names
from await_audit.judging.plain_values import BUILT_IN, MADE_HERE, Scope, bind, is_literal
from await_audit.judging.project import Project, last_name
from await_audit.judging.replacements import Replacements
from await_audit.judging.targets import Target, Targets, owner
from await_audit.resolver.classes import lineage
from await_audit.resolver.functions import (
    FUNCTIONS,
    REPLACED,
    decorator_name,
    is_generator,
    own_nodes,
)
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import children, walk
from await_audit.resolver.scopes import Assigned
from await_audit.resolver.scopes import Defined as Bound
from await_audit.resolver.scopes import Scope as ScopeOfNames
from await_audit.resolver.values import ClassValue, Foreign, FunctionValue, Instance

PURE = frozenset(
    [
        *("base64", "binascii", "calendar", "datetime", "decimal", "fractions", "hashlib", "hmac"),
        *("html", "ipaddress", "json", "math", "os", "pathlib", "platform", "re", "shutil"),
        *("statistics", "string", "struct", "sys", "tempfile", "textwrap", "time", "urllib"),
        *("uuid", "zlib"),
    ]
)
"""Modules of the library whose functions give nothing back that they were given."""
COPYING = frozenset({"copy.copy", "copy.deepcopy", "copy.replace", "dataclasses.replace"})
"""Functions that make another object of the class that they are given one of."""

TYPE_VARIABLE = re.compile(r"^(\w+)\s*=\s*(?:\w+\.)?(?:TypeVar|ParamSpec)\(", re.MULTILINE)
DEEPEST = 12

VARIABLE_LIKE = re.compile(r"\w*[a-z]T\d?|_?[A-Z]{1,2}\d?(_co|_contra)?")
"""How type variables are named that a stub has from another one."""

OPERATORS = re.compile(
    r"def __(?:r|i)?(?:add|sub|mul|truediv|floordiv|mod|pow|eq|ne|lt|le|gt|ge)__\b"
)

Holds = Callable[[Target, str, ast.Call, bool], bool]
"""Says whether a definition that a call of a name reaches is plain, and nothing replaces it."""


class Results:
    """Says what functions give."""

    def __init__(
        self,
        project: Project,
        names: Names,
        targets: Targets,
        replacements: Replacements,
        holds: Holds,
    ) -> None:
        self._project, self._names, self._targets = project, names, targets
        self._replacements, self._holds = replacements, holds
        self._containers = Containers(project, self._is_plain_type, self._is_plain_value)
        self._active: set[ast.Attribute] = set()
        self._odd_operators: list[Path] | None = None
        self.pure = False
        """Whether the call that is judged is one of the library's functions in PURE."""

    def is_function(self, target: Target, call: ast.Call | None) -> bool:
        """Say whether a function is a plain `def` that gives plain values by its own text."""
        node, module = target.node, target.module
        if not isinstance(node, ast.FunctionDef) or is_generator(node):
            return False
        if not all(
            self._replacements.is_harmless(one, module, KEEP_COLOUR) for one in node.decorator_list
        ):
            return False
        names = {decorator_name(one).rpartition(".")[2] for one in node.decorator_list}
        if any(name.endswith("property") for name in names):
            return False
        bound = target.owner is not None and "staticmethod" not in names
        attribute = bound and call is not None and isinstance(call.func, ast.Attribute)
        arguments = (bind(node, call, attribute) if call else None) or {}
        generic = bool(arguments) and not bound and all(map(is_literal, arguments.values()))
        if node.returns is not None and not (
            self._is_plain_type(node.returns, module)
            or (generic and last_name(node.returns) in self._names.type_variables)
        ):
            return False
        if module is None and self.pure:
            return True
        if module is None and node.returns is not None and _has_variable(node.returns, target.path):
            return False
        if names & REPLACED and target.path.suffix != ".pyi":
            return node.returns is not None
        if target.path.suffix == ".pyi":
            return _is_trusted_stub(target.path) and node.returns is not None
        returned = [one.value for one in own_nodes(node) if isinstance(one, ast.Return)]
        if not any(returned):
            return True
        if bound and (first := [*node.args.posonlyargs, *node.args.args][:1]):
            arguments[first[0].arg] = ast.Constant(None)  # the object is none, nor its class
        given = {id(one) for one in arguments.values()}
        scope = Scope(
            node,
            arguments,
            lambda one: self._is_given(one) if id(one) in given else self._is_known(one, target),
        )
        return all(one is None or scope.is_plain(one) for one in returned)

    def _is_given(self, argument: ast.expr) -> bool:
        """Say whether an argument is plain where the call stands."""
        module = self._project.module_of(argument)
        return module is not None and self._is_plain_value(argument, module)

    def _is_plain_type(self, written: ast.expr, module: Module | None) -> bool:
        """Say whether a declared type has no member that may be awaited."""
        match written:
            case ast.Constant(value=None):
                return True
            case ast.Constant(value=str() as text):
                inner = _quoted(text, written, module)
                return inner is not None and self._is_plain_type(inner, module)
            case ast.BinOp(op=ast.BitOr()):
                return self._is_plain_type(written.left, module) and self._is_plain_type(
                    written.right, module
                )
            case ast.Subscript(slice=inner) if last_name(written.value) in {"Union", "Optional"}:
                several = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return all(self._is_plain_type(one, module) for one in several)
            case ast.Subscript(slice=inner) if last_name(written.value) == "Annotated":
                return isinstance(inner, ast.Tuple) and self._is_plain_type(inner.elts[0], module)
            case ast.Subscript(value=base):
                return self._is_plain_class(base, module)
            case ast.Name() | ast.Attribute():
                return self._is_plain_class(written, module)
            case _:
                return False

    def _is_plain_class(self, written: ast.expr, module: Module | None) -> bool:
        name = last_name(written)
        if name == "Self":
            return True  # the type checker says of which class, and that is looked at
        if not is_one_class(name) or name in self._names.type_variables:
            return False
        if module is None:
            return True
        if is_value(name):
            owner = module.scope.owner(name)
            return owner is None or not any(
                isinstance(one, Assigned | Bound) for one in owner.bindings[name]
            )
        if isinstance(written, ast.Name):
            scope = module.scope
            for one in scope.bindings.get(name, ()):
                if isinstance(one, Assigned):
                    meant = _new_type(one.value) or one.value
                    return meant is not None and self._is_plain_type(meant, module)
        values = self._project.resolver.value(written, module)
        return all(
            isinstance(one, Foreign)
            or (
                isinstance(one, ClassValue)
                and not self._names.may_have_await(name, [Path(one.path)])
            )
            for one in values
        )

    def _is_known(self, node: ast.expr, target: Target) -> bool:
        """Say of an expression that its function does not make itself that it is plain."""
        module = target.module
        match node:
            case ast.Call(func=ast.Name(id=name)) if module is None:
                return name in BUILT_IN
            case _ if module is None:
                return False
            case (
                ast.Subscript(value=held, ctx=ast.Load())
                | ast.Call(func=ast.Attribute(value=held, attr="get" | "pop" | "popleft"))
            ) if self._containers.hold_plain(held, module):
                rest = node.args[1:] if isinstance(node, ast.Call) else []
                return all(self._is_plain_value(one, module) for one in rest)
            case ast.Call():
                return self._gives_plain(node, module)
            case ast.Attribute():
                return self._is_plain_attribute(node, module)
            case ast.Name(id=name):
                if name in {"self", "cls"} or (target.owner and _is_first(name, target.node)):
                    return True
                return self._is_plain_name(name, module.scope_of(node), target)
            case ast.BinOp(op=ast.BitOr() | ast.BitAnd(), left=left, right=right):
                return all(
                    isinstance(one, MADE_HERE) or self._is_known(one, target)
                    for one in (left, right)
                )
            case ast.BinOp() | ast.Compare():
                return is_literal(node) or self._operators_are_plain(target.path)
            case _:
                return False

    def _is_plain_name(self, name: str, scope: ScopeOfNames, target: Target) -> bool:
        """Say whether a name of a scope further out only ever stands for plain values."""
        owner = scope.owner(name)
        if owner is None:
            return name == "NotImplemented"
        return not self._is_put_in(name, replace(target, owner=None)) and all(
            isinstance(one, Assigned) and isinstance(one.value, MADE_HERE)
            for one in owner.bindings[name]
        )

    def _operators_are_plain(self, path: Path) -> bool:
        """Say whether no class that comes to a file gives something else by an operator."""
        if self._odd_operators is None:
            self._odd_operators = []  # what they compute with operators is looked at for itself
            self._odd_operators = [
                path
                for path, text in self._project.texts.items()
                if OPERATORS.search(text) and not self._has_plain_operators(path)
            ]
        return not any(self._project.connected(one, path) for one in self._odd_operators)

    def _has_plain_operators(self, path: Path) -> bool:
        module = self._project.module(path)
        return module is not None and all(
            self.is_function(Target(node, owner(node, module), path, module), None)
            for node in module.qualnames
            if isinstance(node, FUNCTIONS) and OPERATORS.match(f"def {node.name}")
        )

    def _gives_plain(self, call: ast.Call, module: Module) -> bool:
        if isinstance(call.func, ast.Name):
            bound = module.scope.bindings.get(call.func.id, [])
            if bound and all(isinstance(one, Assigned) and _new_type(one.value) for one in bound):
                return all(isinstance(one, MADE_HERE) for one in call.args)
        values = self._project.resolver.reference(call.func, module)
        for value in values:
            match value:
                case Foreign(name=str() as dotted) if dotted:
                    copied = dotted in COPYING and call.args and is_self(call.args[0])
                    if not copied and (not is_pure(dotted) or self._is_set(dotted)):
                        return False
                case FunctionValue() | ClassValue():
                    targets = list(self._targets.defined(value))
                    name = last_name(call.func)
                    if not targets or not all(
                        self._holds(one, name, call, True) for one in targets
                    ):
                        return False
                case _:
                    return False
        return bool(values)

    def _is_set(self, dotted: str) -> bool:
        """Say whether the project puts something in the place of a function of the library."""
        module, _, name = dotted.rpartition(".")
        return any(
            one.owner is None
            and not isinstance(one.node, FUNCTIONS)
            and module.rpartition(".")[2] in ast.unparse(one.node)
            for one in self._project.others(name)
        )

    def _is_plain_attribute(self, node: ast.Attribute, module: Module) -> bool:
        """Say whether an attribute is only ever given plain values, by its declared type or not."""
        if node in self._active:
            return True
        self._active.add(node)
        try:
            return self._is_attribute_plain(node, module)
        finally:
            self._active.discard(node)

    def _is_attribute_plain(self, node: ast.Attribute, module: Module) -> bool:
        owners = self._project.resolver.value(node.value, module)
        if not owners or not all(isinstance(one, Instance | ClassValue) for one in owners):
            return False
        for one in owners:
            assert isinstance(one, Instance | ClassValue)
            bases = lineage(self._project.resolver, ClassValue(one.path, one.qualname))
            if not any(base and self._declares_plain(base, node.attr) for base in bases):
                return False
        return True

    def _declares_plain(self, base: ClassValue, name: str) -> bool:
        module = self._project.tree.module(base.path)
        if module is None:
            return False
        node = module.classes[base.qualname]
        bound = [
            *module.scopes[node].bindings.get(name, ()),
            *self._project.resolver.members(node).get(name, ()),
        ]
        if self._is_put_in(name, Target(node, node, Path(base.path), module)):
            return False
        declared = [one.annotation for one in bound if isinstance(one, Assigned) and one.annotation]
        if declared and not all(self._is_plain_type(one, module) for one in declared):
            return False
        values = [one.value for one in bound if isinstance(one, Assigned) and one.value]
        plain = all(
            (
                isinstance(one, Assigned)
                and (one.value is None or self._is_plain_value(one.value, module))
            )
            for one in bound
        )
        return bool(values) and plain

    def _is_put_in(self, name: str, holder: Target) -> bool:
        """Say whether a name is set from outside of the class or the module that holds it, or by
        a class that is related.
        """
        base = holder.owning
        related = self._names.related(base) - {base} if base else set()
        for other in self._project.others(name):
            path = Path(other.module.path)
            if other.owner is not None:
                is_put = (path, other.owner.name) in related
            else:
                is_put = not isinstance(other.node, FUNCTIONS) and self._project.connected(
                    path, holder.path
                )
            if is_put:
                return True
        return self._replacements.computed.may_set(name, holder)

    def _is_plain_value(self, value: ast.expr, module: Module) -> bool:
        function = next((one for one in module.above(value) if isinstance(one, FUNCTIONS)), None)
        if isinstance(value, MADE_HERE):
            return True
        if function is None:
            return isinstance(value, ast.Call) and self._gives_plain(value, module)
        target = Target(function, owner(function, module), Path(module.path), module)
        return Scope(function, {}, lambda one: self._is_known(one, target)).is_plain(value)


def _is_first(name: str, node: ast.AST) -> bool:
    if not isinstance(node, FUNCTIONS):
        return False
    arguments = [*node.args.posonlyargs, *node.args.args]
    return bool(arguments) and arguments[0].arg == name


def is_pure(dotted: str) -> bool:
    """Say whether a function or class of the library gives nothing that may be awaited."""
    top, _, rest = dotted.partition(".")
    last = dotted.rpartition(".")[2]
    if top in sys.stdlib_module_names and last[:1].isupper():
        return is_one_class(last)
    return top in PURE or (top == "builtins" and rest in BUILT_IN)


def is_self(node: ast.expr) -> bool:
    """Say whether an expression is the object, or the class, whose method it stands in."""
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


def _new_type(value: ast.expr | None) -> ast.expr | None:
    """Return the type that `NewType("Name", type)` makes another one of."""
    match value:
        case ast.Call(args=[_, base]) if last_name(value.func) == "NewType":
            return base
        case _:
            return None


def _quoted(text: str, place: ast.expr, module: Module | None) -> ast.expr | None:
    """Parse an annotation in quotes as if it stood where the string stands."""
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if module is not None:
        for node in walk(parsed):
            module.parents.update(dict.fromkeys(children(node), node))
        module.parents[parsed] = module.parents[place]
    return parsed


def _has_variable(written: ast.expr, path: Path) -> bool:
    """Say whether a declared type is, in part, a type variable of its file."""
    try:
        variables = set(TYPE_VARIABLE.findall(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return True
    names = map(last_name, _members(written))
    return any(name in variables or VARIABLE_LIKE.fullmatch(name) for name in names)


def _members(written: ast.expr) -> list[ast.expr]:
    if isinstance(written, ast.BinOp):
        return [*_members(written.left), *_members(written.right)]
    return [written]


def _is_trusted_stub(path: Path) -> bool:
    """Say whether a stub is the library's own, or that of what is written in C."""
    if any(part.startswith(TYPESHED) for part in path.parts):
        return "stubs" not in path.parts
    compiled = [*path.parent.glob(f"{path.stem}.*.so"), *path.parent.glob(f"{path.stem}.*pyd")]
    return bool(compiled) and not path.with_suffix(".py").exists()

"""Whether a call gives what cannot be awaited, whatever the project does elsewhere.

A type checker judges by declarations. What runs may be something else: an override of another
colour, what was put in a function's place, what a declaration does not say. So a call counts as
proved only if each definition that it may reach was found and read, and nothing in the text of the
project may stand in the place of one.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from await_audit.engines.written_types import class_name, is_one_class, is_value
from await_audit.judging.callee import KEEP_COLOUR, TYPESHED, Defined
from await_audit.judging.flags import Flag
from await_audit.judging.names import Class, Names
from await_audit.judging.plain_values import BUILT_IN, MADE_HERE, Function, Scope, bind, is_literal
from await_audit.judging.project import Other, Project, last_name
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
from await_audit.resolver.values import (
    ClassValue,
    Foreign,
    FunctionValue,
    Instance,
    Value,
)

METACLASSES = frozenset({"ABCMeta", "EnumMeta", "EnumType", "type"})
CLASS_DECORATORS = frozenset(
    [
        *("dataclass", "dataclass_transform", "define", "final", "frozen", "mutable", "s"),
        *("runtime_checkable", "total_ordering", "unique", "skip", "skipIf", "skipUnless"),
    ]
)
"""Decorators of classes that leave the methods in the body as they are."""

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


@dataclass(frozen=True, slots=True)
class Target:
    """A function or class that a call may reach; without a module it is not the project's."""

    node: Function | ast.ClassDef
    owner: ast.ClassDef | None
    path: Path
    module: Module | None

    @property
    def owning(self) -> Class | None:
        """The class that holds it."""
        return (self.path, self.owner.name) if self.owner else None


class Prover:
    """Proves calls by the text of a project."""

    def __init__(self, project: Project, names: Names) -> None:
        self._project, self._names = project, names
        self._active: set[tuple[int, bool]] = set()
        self._caller = Path()
        self._pure = False

    def proves(self, flag: Flag, call: ast.Call, module: Module, found: Defined) -> bool:
        """Say whether a call cannot give an awaitable; `found` is what a type checker names."""
        found_path = self._project.mirror.outside(found.path)
        targets, sure = self._targets(call.func, module)
        self._caller = Path(module.path)
        own = self._project.module(found_path)
        made = [target for target in targets if isinstance(target.node, ast.ClassDef)]
        if made and found.node.name in {"__init__", "__new__", made[0].node.name}:
            if class_name(flag.whole or "") != made[0].node.name:
                return False
        elif own is None:
            if any(target.module for target in targets):
                return False
            targets, sure = [Target(found.node, found.owner, found_path, None)], True
            self._pure = all(
                isinstance(one, Foreign) and _is_pure(one.name)
                for one in self._project.resolver.reference(call.func, module)
            )
            if isinstance(found.node, ast.ClassDef) and found.node.name != class_name(
                flag.whole or ""
            ):
                return False
        else:
            named = self._same(found, own)
            if named is None or (targets and all(one.node is not named for one in targets)):
                return False
            if not targets:
                owner = next(self._owners(named, own), None)
                targets = [Target(named, owner, found_path, own)]
        name = last_name(call.func)
        return all(self._holds(target, name, call, sure) for target in targets)

    def _same(self, found: Defined, module: Module) -> Function | ast.ClassDef | None:
        for node in module.qualnames:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and (node.lineno, node.name) == (
                found.node.lineno,
                found.node.name,
            ):
                return node
        return None

    def _owners(self, node: ast.AST, module: Module | None) -> Iterator[ast.ClassDef]:
        scope = module.scopes.get(node) if module else None
        parent = scope.parent if scope else None
        if parent is not None and isinstance(parent.node, ast.ClassDef):
            yield parent.node

    def _targets(self, function: ast.expr, module: Module) -> tuple[list[Target], bool]:
        """Return what a called expression may stand for, and whether that is all."""
        values = self._project.resolver.reference(function, module)
        values = frozenset(
            other
            for one in values
            for other in (
                self._project.resolver.attribute(one, "__call__", module)
                if isinstance(one, Instance)
                else [one]
            )
        )
        targets: list[Target] = []
        sure = True
        for value in values:
            nodes = list(self._nodes(value))
            sure = sure and bool(nodes or isinstance(value, Foreign))
            targets += nodes
        return targets, sure

    def _nodes(self, value: Value) -> Iterator[Target]:
        if not isinstance(value, FunctionValue | ClassValue):
            return
        module = self._project.tree.module(value.path)
        for node, qualname in module.qualnames.items() if module else ():
            wanted = FUNCTIONS if isinstance(value, FunctionValue) else ast.ClassDef
            if qualname == value.qualname and isinstance(node, wanted):
                owner = next(self._owners(node, module), None)
                yield Target(node, owner, Path(value.path), module)

    # One definition

    def _holds(self, target: Target, name: str, call: ast.Call, sure: bool) -> bool:
        """Say whether a definition is plain, and nothing may stand in its place."""
        if len(self._active) > DEEPEST:
            return False
        key = (id(target.node), sure)
        if key in self._active:
            return True
        self._active.add(key)
        try:
            if isinstance(target.node, ast.ClassDef):
                return self._makes_plain_instance(target)
            return self._is_function(target, call) and all(
                self._is_only(target, one, call, sure) for one in {name, target.node.name}
            )
        finally:
            self._active.discard(key)

    def _is_only(self, target: Target, name: str, call: ast.Call, sure: bool) -> bool:
        if self._project.is_hidden(name):
            return False
        if target.owning and not self._is_simple(target.owning):
            return False
        implemented = target.module is None or not _is_abstract(target.node)
        for other in self._project.others(name):
            if not self._may_stand_for(other, target, sure):
                continue
            if not self._is_plain_other(other, call):
                return False
            implemented |= isinstance(other.node, FUNCTIONS) and not _is_abstract(other.node)
        if (
            target.module is not None
            and target.owner is None
            and not self._is_bound_once(target, name)
        ):
            return False
        return implemented and not any(
            self._may_set(other, target) for other in self._project.computed()
        )

    def _is_bound_once(self, target: Target, name: str) -> bool:
        """Say whether the scope of a function binds its name by definitions alone."""
        assert target.module
        scope = target.module.scopes[target.node].parent
        bound = scope.bindings.get(name, []) if scope else []
        return all(
            isinstance(one, Bound) and self._is_function_or_class(one.node, target) for one in bound
        ) or (name != target.node.name)

    def _is_function_or_class(self, node: ast.AST, target: Target) -> bool:
        return node is target.node or (
            isinstance(node, FUNCTIONS)
            and self._is_function(Target(node, None, target.path, target.module), None)
        )

    def _may_stand_for(self, other: Other, target: Target, sure: bool) -> bool:
        """Say whether what has a target's name somewhere may be what a call of it reaches."""
        path = Path(other.module.path)
        if not sure or other.owner is None:
            if sure and isinstance(other.node, FUNCTIONS):
                return False
            return self._is_connected(path, target)
        if target.owning is None:
            return False
        one = (path, other.owner.name)
        return self._is_near(one, target)

    def _is_near(self, one: Class, target: Target) -> bool:
        names, owner = self._names, target.owning
        assert owner
        if one in names.dynamic or names.is_protocol(owner):
            return self._is_connected(one[0], target)
        if target.module is None:
            ancestors = names.related(one)
            return any(owner[1] in names.bases.get(base, ()) for base in ancestors) or any(
                base not in names.by_name and base not in {"object", "Protocol", "ABC"}
                for known in ancestors
                for base in names.bases.get(known, ())
            )
        return one in names.related(owner) or self._meet(one, owner)

    def _meet(self, one: Class, other: Class) -> bool:
        """Say whether some file knows both classes, so that one may be taken for the other."""
        return any(
            self._knows(path, one) and self._knows(path, other)
            for path in self._project.files_with(one[1], other[1])
        )

    def _knows(self, path: Path, one: Class) -> bool:
        return path in self._project.importers(one[0])

    def _is_connected(self, path: Path, target: Target) -> bool:
        """Say whether what stands in a file may come to where the call is, or to its callee."""
        near = {file for file, _ in self._names.related(target.owning)} if target.owning else set()
        places = {self._caller, target.path, *near} & self._project.texts.keys()
        return any(self._project.connected(path, one) for one in places)

    def _is_plain_other(self, other: Other, call: ast.Call | None) -> bool:
        path = Path(other.module.path)
        if isinstance(other.node, FUNCTIONS):
            return self._is_function(Target(other.node, other.owner, path, other.module), call)
        parent = other.module.parents.get(other.node)
        if other.owner is None or not isinstance(parent, ast.Assign):
            return False
        if isinstance(other.node, ast.Name) and isinstance(parent.value, ast.Name):
            # A second name in the body of the class.
            targets, sure = self._targets(parent.value, other.module)
            return sure and all(
                not isinstance(one.node, ast.ClassDef) and self._is_function(one, call)
                for one in targets
            )
        return False

    def _may_set(self, other: Other, target: Target) -> bool:
        """Say whether a computed attribute may be the target's."""
        path = Path(other.module.path)
        receiver = _receiver(other.node)
        written = ast.unparse(receiver) if receiver else ""
        if other.owner is not None and written.split(".")[0] in {"self", "cls", "type(self)", ""}:
            one = (path, other.owner.name)
            return target.owning is not None and (
                one in self._names.dynamic
                or one in self._names.related(target.owning)
                or (path, "type") in {(path, base) for base in self._names.bases.get(one, ())}
            )
        if written.startswith(("globals(", "vars()", "locals(")):
            return target.owner is None and path == target.path
        return self._is_connected(path, target)

    # Classes

    def _is_simple(self, owner: Class) -> bool:
        """Say whether no decorator nor metaclass may replace methods in a hierarchy."""
        related = self._names.related(owner)
        return all(self._is_simple_class(one) for one in related)

    def _is_simple_class(self, one: Class) -> bool:
        module = self._project.module(one[0])
        if module is None:
            return one[0] not in self._project.texts
        return all(
            self._has_simple_head(node, module)
            for node in module.qualnames
            if isinstance(node, ast.ClassDef) and node.name == one[1]
        )

    def _has_simple_head(self, node: ast.ClassDef, module: Module) -> bool:
        for keyword in node.keywords:
            if keyword.arg is None:
                return False
            if keyword.arg == "metaclass" and last_name(keyword.value) not in METACLASSES:
                return False
        return all(self._is_harmless(one, module, CLASS_DECORATORS) for one in node.decorator_list)

    def _is_harmless(
        self, decorator: ast.expr, module: Module | None, known: Iterable[str]
    ) -> bool:
        """Say whether a decorator gives back what it is given, as far as the colour goes."""
        name = decorator_name(decorator)
        if module is None:
            return name.rpartition(".")[2] in known
        bare = decorator.func if isinstance(decorator, ast.Call) else decorator
        if name.endswith((".setter", ".getter", ".deleter")):
            return True
        values = self._project.resolver.reference(bare, module)
        if name.rpartition(".")[2] in known:
            return all(isinstance(one, Foreign) for one in values)
        targets, sure = self._targets(bare, module)
        return sure and bool(targets) and bare is decorator and all(map(self._is_identity, targets))

    def _is_identity(self, target: Target) -> bool:
        """Say whether a function returns its first parameter as it is."""
        node = target.node
        if not isinstance(node, ast.FunctionDef) or node.decorator_list or is_generator(node):
            return False
        arguments = [*node.args.posonlyargs, *node.args.args]
        inside = list(ast.walk(node))
        stored = {
            one.id
            for one in inside
            if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)
        }
        returned = [one.value for one in own_nodes(node) if isinstance(one, ast.Return)]
        changed = any(
            (isinstance(one, ast.Call) and "attr" in last_name(one.func))
            or (isinstance(one, ast.Attribute | ast.Subscript) and isinstance(one.ctx, ast.Store))
            for one in inside
        )
        return (
            bool(arguments)
            and bool(returned)
            and not changed
            and all(
                isinstance(one, ast.Name) and one.id == arguments[0].arg and one.id not in stored
                for one in returned
            )
        )

    def _makes_plain_instance(self, target: Target) -> bool:
        node = target.node
        assert isinstance(node, ast.ClassDef)
        one = (target.path, node.name)
        if target.module is None:
            return not self._names.may_have_await(node.name, ())
        if one in self._names.dynamic or not self._is_simple(one):
            return False
        if self._names.awaitable & self._names.related(one) or self._rebinds(node, target):
            return False
        return not any(
            isinstance(inner, FUNCTIONS) and inner.name == "__new__"
            for near in self._names.related(one)
            if (module := self._project.module(near[0]))
            for outer in module.qualnames
            if isinstance(outer, ast.ClassDef) and outer.name == near[1]
            for inner in outer.body
        )

    def _rebinds(self, node: ast.ClassDef, target: Target) -> bool:
        assert target.module
        scope = target.module.scopes[node].parent
        bound = scope.bindings.get(node.name, []) if scope else []
        set_elsewhere = any(
            other.owner is None and not isinstance(other.node, FUNCTIONS)
            for other in self._project.others(node.name)
        )
        return len(bound) > 1 or set_elsewhere

    # Functions

    def _is_function(self, target: Target, call: ast.Call | None) -> bool:
        """Say whether a function is a plain `def` that gives plain values by its own text."""
        node, module = target.node, target.module
        if not isinstance(node, ast.FunctionDef) or is_generator(node):
            return False
        if not all(self._is_harmless(one, module, KEEP_COLOUR) for one in node.decorator_list):
            return False
        names = {decorator_name(one).rpartition(".")[2] for one in node.decorator_list}
        if any(name.endswith("property") for name in names):
            return False
        bound = target.owner is not None and "staticmethod" not in names
        attribute = bound and call is not None and isinstance(call.func, ast.Attribute)
        arguments = (bind(node, call, attribute) if call else None) or {}
        generic = bool(arguments) and not bound and all(map(is_literal, arguments.values()))
        if node.returns is not None and not (
            self._is_plain_type(node.returns, target)
            or (generic and last_name(node.returns) in self._names.type_variables)
        ):
            return False
        if names & REPLACED:
            return node.returns is not None
        if module is None and self._pure:
            return True
        if target.path.suffix == ".pyi":
            return _is_trusted_stub(target.path) and node.returns is not None
        returned = [one.value for one in own_nodes(node) if isinstance(one, ast.Return)]
        if not any(returned):
            return True
        if bound and (first := [*node.args.posonlyargs, *node.args.args][:1]):
            arguments[first[0].arg] = ast.Constant(None)  # the object is none, nor its class
        scope = Scope(node, arguments, lambda one: self._is_known(one, target))
        return all(one is None or scope.is_plain(one) for one in returned)

    def _is_plain_type(self, written: ast.expr, target: Target) -> bool:
        """Say whether a declared type has no member that may be awaited."""
        match written:
            case ast.Constant(value=None):
                return True
            case ast.Constant(value=str() as text):
                inner = _quoted(text, written, target.module)
                return inner is not None and self._is_plain_type(inner, target)
            case ast.BinOp(op=ast.BitOr()):
                return self._is_plain_type(written.left, target) and self._is_plain_type(
                    written.right, target
                )
            case ast.Subscript(slice=inner) if last_name(written.value) in {"Union", "Optional"}:
                several = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return all(self._is_plain_type(one, target) for one in several)
            case ast.Subscript(slice=inner) if last_name(written.value) == "Annotated":
                return isinstance(inner, ast.Tuple) and self._is_plain_type(inner.elts[0], target)
            case ast.Subscript(value=base):
                return self._is_plain_class(base, target)
            case ast.Name() | ast.Attribute():
                return self._is_plain_class(written, target)
            case _:
                return False

    def _is_plain_class(self, written: ast.expr, target: Target) -> bool:
        name = last_name(written)
        if name == "Self":
            return True  # the type checker says of which class, and that is looked at
        if not is_one_class(name) or name in self._names.type_variables:
            return False
        if target.module is None:
            try:
                text = target.path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                return False
            return name not in set(TYPE_VARIABLE.findall(text))
        if is_value(name):
            owner = target.module.scope.owner(name)
            return owner is None or not any(
                isinstance(one, Assigned | Bound) for one in owner.bindings[name]
            )
        if isinstance(written, ast.Name):
            scope = target.module.scope
            for one in scope.bindings.get(name, ()):
                if isinstance(one, Assigned):
                    meant = _new_type(one.value) or one.value
                    return meant is not None and self._is_plain_type(meant, target)
        values = self._project.resolver.value(written, target.module)
        return all(
            isinstance(one, Foreign)
            or (
                isinstance(one, ClassValue)
                and not self._names.may_have_await(name, [Path(one.path)])
            )
            for one in values
        )

    # Expressions of a function's body

    def _is_known(self, node: ast.expr, target: Target) -> bool:
        """Say of an expression that its function does not make itself that it is plain."""
        module = target.module
        match node:
            case ast.Call(func=ast.Name(id=name)) if module is None:
                return name in BUILT_IN
            case _ if module is None:
                return False
            case ast.Call():
                return self._gives_plain(node, module)
            case ast.Attribute():
                return self._is_plain_attribute(node, module)
            case ast.Name(id=name):
                if name in {"self", "cls"} or (target.owner and _is_first(name, target.node)):
                    return True
                owner = module.scope_of(node).owner(name)
                return owner is not None and all(
                    isinstance(one, Assigned) and isinstance(one.value, MADE_HERE)
                    for one in owner.bindings[name]
                )
            case ast.BinOp(left=left, right=right):
                return all(
                    isinstance(one, MADE_HERE) or self._is_known(one, target)
                    for one in (left, right)
                )
            case _:
                return False

    def _gives_plain(self, call: ast.Call, module: Module) -> bool:
        if isinstance(call.func, ast.Name):
            bound = module.scope.bindings.get(call.func.id, [])
            if bound and all(isinstance(one, Assigned) and _new_type(one.value) for one in bound):
                return all(isinstance(one, MADE_HERE) for one in call.args)
        values = self._project.resolver.reference(call.func, module)
        for value in values:
            match value:
                case Foreign(name=str() as dotted) if dotted:
                    copied = dotted in COPYING and call.args and _is_self(call.args[0])
                    if not copied and not _is_pure(dotted):
                        return False
                case FunctionValue() | ClassValue():
                    targets = list(self._nodes(value))
                    name = last_name(call.func)
                    if not targets or not all(
                        self._holds(one, name, call, sure=True) for one in targets
                    ):
                        return False
                case _:
                    return False
        return bool(values)

    def _is_plain_attribute(self, node: ast.Attribute, module: Module) -> bool:
        """Say whether an attribute is only ever given plain values, by its declared type or not."""
        owners = self._project.resolver.value(node.value, module)
        if not owners or not all(isinstance(one, Instance | ClassValue) for one in owners):
            return False
        for owner in owners:
            assert isinstance(owner, Instance | ClassValue)
            bases = lineage(self._project.resolver, ClassValue(owner.path, owner.qualname))
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
        target = Target(node, None, Path(base.path), module)
        declared = [one.annotation for one in bound if isinstance(one, Assigned) and one.annotation]
        if declared and not all(self._is_plain_type(one, target) for one in declared):
            return False
        values = [one.value for one in bound if isinstance(one, Assigned)]
        plain = all(
            (
                isinstance(one, Assigned)
                and (one.value is None or self._is_plain_value(one.value, module))
            )
            for one in bound
        )
        return bool(declared or values) and plain

    def _is_plain_value(self, value: ast.expr, module: Module) -> bool:
        function = next((one for one in module.above(value) if isinstance(one, FUNCTIONS)), None)
        if isinstance(value, MADE_HERE):
            return True
        owner = next((one for one in module.above(value) if isinstance(one, ast.ClassDef)), None)
        if function is None or owner is None:
            return isinstance(value, ast.Call) and self._gives_plain(value, module)
        target = Target(function, owner, Path(module.path), module)
        return Scope(function, {}, lambda one: self._is_known(one, target)).is_plain(value)


def _is_pure(dotted: str) -> bool:
    top, _, rest = dotted.partition(".")
    last = dotted.rpartition(".")[2]
    if top in sys.stdlib_module_names and last[:1].isupper():
        return is_one_class(last)
    return top in PURE or (top == "builtins" and rest in BUILT_IN)


def _new_type(value: ast.expr | None) -> ast.expr | None:
    """Return the type that `NewType("Name", type)` makes another one of."""
    match value:
        case ast.Call(args=[_, base]) if last_name(value.func) == "NewType":
            return base
        case _:
            return None


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


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


def _is_first(name: str, node: ast.AST) -> bool:
    if not isinstance(node, FUNCTIONS):
        return False
    arguments = [*node.args.posonlyargs, *node.args.args]
    return bool(arguments) and arguments[0].arg == name


def _is_abstract(node: ast.AST) -> bool:
    """Say whether a function is there only to be overridden."""
    if not isinstance(node, FUNCTIONS):
        return False
    names = {decorator_name(one).rpartition(".")[2] for one in node.decorator_list}
    if "overload" in names or any("abstract" in name for name in names):
        return "overload" not in names
    body = [
        one
        for one in node.body
        if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    ]
    raises = len(body) == 1 and isinstance(body[0], ast.Raise)
    return raises or (not body and node.returns is not None)


def _is_trusted_stub(path: Path) -> bool:
    """Say whether a stub is the library's own, or that of what is written in C."""
    if any(part.startswith(TYPESHED) for part in path.parts):
        return "stubs" not in path.parts
    compiled = [*path.parent.glob(f"{path.stem}.*.so"), *path.parent.glob(f"{path.stem}.*pyd")]
    return bool(compiled) and not path.with_suffix(".py").exists()


def _receiver(node: ast.AST) -> ast.expr | None:
    """Return what a computed attribute is set on."""
    match node:
        case ast.Call(func=ast.Attribute(value=target, attr="update" | "setdefault")):
            return target
        case ast.Call(args=[first, *_]):
            return first
        case ast.Subscript(value=target) | ast.Attribute(value=target):
            return target
        case _:
            return None


def _mentions(text: str, words: Iterable[str]) -> bool:
    return re.search(rf"\b(?:{'|'.join(map(re.escape, words))})\b", text) is not None

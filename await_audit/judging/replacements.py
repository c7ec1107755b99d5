"""What in a project may stand in the place of a function: an override, a patch, a decorator."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from await_audit.judging.computed import Computed, only_looks_up
from await_audit.judging.names import Class, Names
from await_audit.judging.project import Other, Project, last_name
from await_audit.judging.targets import Target, Targets
from await_audit.resolver.functions import FUNCTIONS, decorator_name, is_generator, own_nodes
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.values import ClassValue, Foreign

METACLASSES = frozenset({"ABCMeta", "EnumMeta", "EnumType", "type"})
CLASS_DECORATORS = frozenset(
    [
        *("dataclass", "dataclass_transform", "define", "final", "frozen", "mutable", "s"),
        *("runtime_checkable", "total_ordering", "unique", "skip", "skipIf", "skipUnless"),
    ]
)
"""Decorators of classes that leave the methods in the body as they are."""

ASYNC_MOCK = re.compile(r"\bAsyncMock\b")
MOCK = re.compile(r"Mock\(")
FUTURE = re.compile(r"[Ff]uture")
GETATTR = re.compile(r"\bdef __getattr__\b")


class Replacements:
    """Says of places in a project whether they may replace what a call reaches."""

    def __init__(self, project: Project, names: Names, targets: Targets) -> None:
        self._project, self._names, self._targets = project, names, targets
        self.caller = Path()
        """The file with the call that is judged."""
        self.computed = Computed(project, names, self._is_connected)
        self._chameleons: list[Path] | None = None

    def may_stand_for(self, other: Other, target: Target, sure: bool) -> bool:
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
        if one[0].name == "conftest.py" and self._is_connected(one[0], target):
            return True  # a fixture comes to where its class is not named
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
        places = {self.caller, target.path, *near} & self._project.texts.keys()
        return any(self._project.connected(path, one) for one in places)

    def is_put_in(self, name: str, target: Target) -> bool:
        """Say whether something else is put under a name that a call goes through."""
        return any(
            other.owner is None
            and not isinstance(other.node, FUNCTIONS)
            and self._is_connected(Path(other.module.path), target)
            for other in self._project.others(name)
        )

    def is_stood_for(self) -> bool:
        """Say whether an object of any class may be one of a class that answers to every name.

        Such are asynchronous mocks, other mocks where a future is at hand, and what computes its
        methods.
        """
        if self._chameleons is None:
            self._chameleons = [
                path
                for path, text in self._project.texts.items()
                if ASYNC_MOCK.search(text)
                or (MOCK.search(text) and FUTURE.search(text))
                or (GETATTR.search(text) and self._has_chameleon(path))
            ]
        return any(self._project.connected(path, self.caller) for path in self._chameleons)

    def _has_chameleon(self, path: Path) -> bool:
        module = self._project.module(path)
        return module is None or any(
            isinstance(one, FUNCTIONS) and one.name == "__getattr__" and not only_looks_up(one)
            for node in module.classes.values()
            for one in node.body
        )

    def is_simple(self, owner: Class) -> bool:
        """Say whether no decorator nor metaclass may replace methods in a hierarchy."""
        related = self._names.related(owner)
        return all(self._is_simple_class(one) for one in related if self._names.meet(one, owner))

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
            if keyword.arg == "metaclass" and not self._is_simple_metaclass(keyword.value, module):
                return False
        return all(self.is_harmless(one, module, CLASS_DECORATORS) for one in node.decorator_list)

    def _is_simple_metaclass(self, written: ast.expr, module: Module) -> bool:
        """Say whether a metaclass leaves methods as they are, but for those set by `setattr`."""
        if last_name(written) in METACLASSES:
            return True
        for value in self._project.resolver.value(written, module):
            found = self._project.tree.module(value.path) if isinstance(value, ClassValue) else None
            if found is None or not isinstance(value, ClassValue):
                return False
            node = found.classes[value.qualname]
            if _makes_anew(node) or not all(
                self._is_simple_metaclass(base, found) for base in node.bases
            ):
                return False
        return True

    def is_harmless(self, decorator: ast.expr, module: Module | None, known: Iterable[str]) -> bool:
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
        targets, sure = self._targets.of(bare, module)
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
        marks = {
            target
            for one in inside
            if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
            for target in one.targets
        }
        changed = any(
            (isinstance(one, ast.Call) and "attr" in last_name(one.func))
            or (
                isinstance(one, ast.Attribute | ast.Subscript)
                and isinstance(one.ctx, ast.Store)
                and one not in marks
            )
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


def _makes_anew(metaclass: ast.ClassDef) -> bool:
    """Say whether a metaclass may change a class otherwise than by `setattr`."""
    methods = [one for one in metaclass.body if isinstance(one, FUNCTIONS)]
    given = {one.arg for method in methods for one in method.args.args}
    return any(_changes_class(one, given) for one in walk(metaclass))


def _changes_class(node: ast.AST, given: set[str]) -> bool:
    match node:
        case ast.FunctionDef(name=name):
            return name in {"__call__", "__prepare__", "__getattribute__", "__setattr__", "mro"}
        case ast.Attribute(ctx=ast.Store()):
            return True
        case ast.Subscript(ctx=ast.Store(), value=held, slice=key):
            return last_name(held) in given and not isinstance(key, ast.Constant)
        case ast.Call(func=ast.Attribute(value=held, attr="update" | "setdefault")):
            return last_name(held) in given
        case ast.Call(func=function, args=[*_, ast.expr() as space]) if len(node.args) > 2:
            is_made = last_name(function) in {"__new__", "type"}
            return is_made and last_name(space) not in given
        case _:
            return False

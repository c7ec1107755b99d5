"""What a call may reach: a definition, and where it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from await_audit.judging.names import Class
from await_audit.judging.plain_values import Function
from await_audit.judging.project import Project
from await_audit.resolver.functions import FUNCTIONS
from await_audit.resolver.modules import Module
from await_audit.resolver.values import ClassValue, Foreign, FunctionValue, Instance, Value


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


class Targets:
    """Finds what calls may reach."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def of(self, function: ast.expr, module: Module) -> tuple[list[Target], bool]:
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
            nodes = list(self.defined(value))
            sure = sure and bool(nodes or isinstance(value, Foreign))
            targets += nodes
        return targets, sure

    def defined(self, value: Value) -> Iterator[Target]:
        """Yield every definition of a function or class of the project, overloads too."""
        if not isinstance(value, FunctionValue | ClassValue):
            return
        module = self._project.tree.module(value.path)
        for node, qualname in module.qualnames.items() if module else ():
            assert module
            wanted = FUNCTIONS if isinstance(value, FunctionValue) else ast.ClassDef
            if qualname == value.qualname and isinstance(node, wanted):
                yield Target(node, owner(node, module), Path(value.path), module)


def owner(node: ast.AST, module: Module) -> ast.ClassDef | None:
    """Return the class in whose body something is defined."""
    scope = module.scopes.get(node)
    parent = scope.parent if scope else None
    return parent.node if parent and isinstance(parent.node, ast.ClassDef) else None

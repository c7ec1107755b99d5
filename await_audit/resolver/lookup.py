"""What the parts of the resolver ask of it, so that none of them has to import the whole."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Protocol

from await_audit.resolver.modules import Module, Tree
from await_audit.resolver.scopes import Binding
from await_audit.resolver.values import Values


class Lookup(Protocol):
    """Tells what an expression or a binding stands for."""

    tree: Tree

    def value(self, node: ast.expr, module: Module) -> Values:
        """Return what an expression gives."""

    def binding(self, binding: Binding, module: Module) -> Values:
        """Return what a binding binds a name to."""

    def members(self, node: ast.ClassDef) -> Mapping[str, list[Binding]]:
        """Return what the methods of a class assign to attributes of their instance."""

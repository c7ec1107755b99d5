"""Whether a container only ever holds plain values."""

from __future__ import annotations

import ast
from collections.abc import Callable

from await_audit.judging.plain_values import BUILT_IN, is_literal
from await_audit.judging.project import Project, last_name, owner_of
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.scopes import Assigned


class Containers:
    """Says what containers hold, by all that is done to them."""

    def __init__(
        self,
        project: Project,
        is_plain_type: Callable[[ast.expr, Module], bool],
        is_plain_value: Callable[[ast.expr, Module], bool],
    ) -> None:
        self._project = project
        self._is_plain_type, self._is_plain_value = is_plain_type, is_plain_value
        self._active: set[tuple[str, str]] = set()

    def hold_plain(self, node: ast.expr, module: Module) -> bool:
        """Say whether a container only ever gets plain values, but for those that it held."""
        key = (module.path, last_name(node))
        if key in self._active:
            return True
        self._active.add(key)
        try:
            return self._hold_plain(node, module)
        finally:
            self._active.discard(key)

    def _hold_plain(self, node: ast.expr, module: Module) -> bool:
        match node:
            case ast.Name(id=name):
                scope = module.scope_of(node).owner(name)
                bound = scope.bindings[name] if scope else []
                files = [module]
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                owner = owner_of(node, module)
                bound = list(self._project.resolver.members(owner).get(name, ())) if owner else []
                if owner:
                    bound += module.scopes[owner].bindings.get(name, [])
                files = [module]
                for path in self._project.files_with(f".{name}"):
                    files += [one] if (one := self._project.module(path)) else []
            case _:
                return False
        return (
            bool(bound)
            and all(isinstance(one, Assigned) and self._begins_plain(one, module) for one in bound)
            and all(
                self._stays_plain(use, one)
                for one in files
                for use in walk(one.tree)
                if isinstance(use, ast.Name | ast.Attribute) and last_name(use) == name
            )
        )

    def _begins_plain(self, bound: Assigned, module: Module) -> bool:
        """Say whether a container begins with plain values, and its declaration has no others."""
        match bound.annotation:
            case None:
                declared = True
            case ast.Subscript(slice=inner):
                several = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                declared = self._is_plain_type(several[-1], module)
            case _:
                declared = False
        value = bound.value
        made = (
            isinstance(value, ast.Call)
            and not value.args
            and not value.keywords
            and last_name(value.func) in {"dict", "list", "set", "deque", "OrderedDict"}
        )
        return declared and value is not None and (made or is_literal(value))

    def _stays_plain(self, use: ast.expr, module: Module) -> bool:
        """Say whether what is done to a container at a place puts only plain values in it."""
        parent = module.parents.get(use)
        above = module.parents.get(parent) if parent else None
        match parent:
            case ast.Subscript(ctx=ast.Store()) if parent.value is use:
                values = above.value if isinstance(above, ast.Assign | ast.AugAssign) else None
                return values is not None and self._is_plain_value(values, module)
            case ast.Attribute(attr="append" | "add" | "insert" | "setdefault" | "appendleft"):
                return isinstance(above, ast.Call) and all(
                    self._is_plain_value(one, module) for one in above.args
                )
            case ast.Attribute(attr=name):
                return name not in {"update", "extend", "extendleft", "__setitem__"}
            case ast.AugAssign(target=changed):
                return changed is not use
            case ast.Call(args=given):
                return use not in given or last_name(parent.func) in BUILT_IN
            case ast.keyword() | ast.Return() | ast.Starred():
                return False
            case ast.Assign(value=value):
                return value is not use
            case _:
                return True

"""Whether a call gives what cannot be awaited, whatever the project does elsewhere.

A type checker judges by declarations. What runs may be something else: an override of another
colour, what was put in a function's place, what a declaration does not say. So a call counts as
proved only if each definition that it may reach was found and read, and nothing in the text of the
project may stand in the place of one.
"""

from __future__ import annotations

import ast
from pathlib import Path

from await_audit.engines.written_types import class_name
from await_audit.judging.callee import Defined
from await_audit.judging.flags import Flag
from await_audit.judging.names import Names
from await_audit.judging.plain_values import Function
from await_audit.judging.project import Other, Project, last_name
from await_audit.judging.replacements import Replacements
from await_audit.judging.results import Results, is_pure, is_self
from await_audit.judging.targets import Target, Targets, owner
from await_audit.resolver.functions import FUNCTIONS, decorator_name
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.scopes import Defined as Bound
from await_audit.resolver.values import Foreign

DEEPEST = 12


class Prover:
    """Proves calls by the text of a project."""

    def __init__(self, project: Project, names: Names) -> None:
        self._project, self._names = project, names
        self._targets = Targets(project)
        self._replacements = Replacements(project, names, self._targets)
        self._results = Results(project, names, self._targets, self._replacements, self._holds)
        self._active: set[tuple[int, bool]] = set()

    def proves(self, flag: Flag, call: ast.Call, module: Module, found: Defined) -> bool:
        """Say whether a call cannot give an awaitable; `found` is what a type checker names."""
        found_path = self._project.mirror.outside(found.path)
        targets, sure = self._targets.of(call.func, module)
        self._replacements.caller = Path(module.path)
        own = self._project.module(found_path)
        made = [target for target in targets if isinstance(target.node, ast.ClassDef)]
        if made and found.node.name in {"__init__", "__new__", made[0].node.name}:
            if class_name(flag.whole or "") != made[0].node.name:
                return False
        elif own is None:
            if any(target.module for target in targets):
                return False
            targets, sure = [Target(found.node, found.owner, found_path, None)], True
            self._results.pure = all(
                isinstance(one, Foreign) and is_pure(one.name)
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
                targets = [Target(named, owner(named, own), found_path, own)]
        name = last_name(call.func)
        return all(
            self._holds(target, name, call, sure) and self._has_own_receiver(target, call, module)
            for target in targets
        )

    def _has_own_receiver(self, target: Target, call: ast.Call, module: Module) -> bool:
        """Say whether nothing is put in the place of what the call goes through, nor a mock."""
        through = [one for one in walk(call.func) if one is not call.func]
        names = {one.attr for one in through if isinstance(one, ast.Attribute)}
        for one in through:
            if isinstance(one, ast.Name) and not is_self(one):
                scope = module.scope_of(one).owner(one.id)
                names |= {one.id} if scope in {None, module.scope} else set()
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        on_self = receiver is not None and is_self(receiver)
        if isinstance(target.node, ast.ClassDef):
            names.add(target.node.name)
        elif target.owning and not on_self:
            names |= {name for _, name in self._names.related(target.owning)}
        if any(self._replacements.is_put_in(name, target) for name in names):
            return False
        made_here = on_self or isinstance(receiver, ast.Call)
        return target.owning is None or made_here or not self._replacements.is_stood_for()

    def _same(self, found: Defined, module: Module) -> Function | ast.ClassDef | None:
        for node in module.qualnames:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and (node.lineno, node.name) == (
                found.node.lineno,
                found.node.name,
            ):
                return node
        return None

    def _holds(self, target: Target, name: str, call: ast.Call, sure: bool) -> bool:
        """Say whether a definition is plain, and nothing may stand in its place."""
        if len(self._active) > DEEPEST or _is_for_type_checkers(target):
            return False
        key = (id(target.node), sure)
        if key in self._active:
            return True
        self._active.add(key)
        try:
            if isinstance(target.node, ast.ClassDef):
                return self._makes_plain_instance(target)
            return self._results.is_function(target, call) and all(
                self._is_only(target, one, call, sure) for one in {name, target.node.name}
            )
        finally:
            self._active.discard(key)

    def _is_only(self, target: Target, name: str, call: ast.Call, sure: bool) -> bool:
        if self._project.is_hidden(name):
            return False
        if target.owning and not self._replacements.is_simple(target.owning):
            return False
        implemented = target.module is None or not _is_abstract(target.node, target.owner)
        for other in self._project.others(name):
            if not self._replacements.may_stand_for(other, target, sure):
                continue
            if not self._is_plain_other(other, call):
                return False
            implemented |= isinstance(other.node, FUNCTIONS) and not _is_abstract(
                other.node, other.owner
            )
        if (
            target.module is not None
            and target.owner is None
            and not self._is_bound_once(target, name)
        ):
            return False
        return implemented and not self._replacements.computed.may_set(name, target)

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
            and self._results.is_function(Target(node, None, target.path, target.module), None)
        )

    def _is_plain_other(self, other: Other, call: ast.Call | None) -> bool:
        path = Path(other.module.path)
        if isinstance(other.node, FUNCTIONS):
            return self._results.is_function(
                Target(other.node, other.owner, path, other.module), call
            )
        parent = other.module.parents.get(other.node)
        if other.owner is None or not isinstance(parent, ast.Assign):
            return False
        if isinstance(other.node, ast.Name) and isinstance(parent.value, ast.Name):
            # A second name in the body of the class.
            targets, sure = self._targets.of(parent.value, other.module)
            return sure and all(
                not isinstance(one.node, ast.ClassDef) and self._results.is_function(one, call)
                for one in targets
            )
        return False

    def _makes_plain_instance(self, target: Target) -> bool:
        node = target.node
        assert isinstance(node, ast.ClassDef)
        one = (target.path, node.name)
        if target.module is None:
            return not self._names.may_have_await(node.name, ())
        if one in self._names.dynamic or not self._replacements.is_simple(one):
            return False
        if self._names.may_have_await(node.name, [target.path]) or self._rebinds(node, target):
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


def _is_for_type_checkers(target: Target) -> bool:
    """Say whether a definition is there for type checkers alone, and something else runs."""
    above = target.module.above(target.node) if target.module else ()
    return any(
        isinstance(one, ast.If) and "TYPE_CHECKING" in ast.unparse(one.test) for one in above
    )


def _is_abstract(node: ast.AST, owner: ast.ClassDef | None) -> bool:
    """Say whether a method is there only to be overridden."""
    if not isinstance(node, FUNCTIONS) or owner is None:
        return False
    names = {decorator_name(one).rpartition(".")[2] for one in node.decorator_list}
    if "overload" in names or any("abstract" in name for name in names):
        return "overload" not in names
    body = [
        one
        for one in node.body
        if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    ]
    gives_none = isinstance(node.returns, ast.Constant) and node.returns.value is None
    is_protocol = any(last_name(_bare(base)) == "Protocol" for base in owner.bases)
    empty = not body and node.returns is not None and (is_protocol or not gives_none)
    return empty or (len(body) == 1 and isinstance(body[0], ast.Raise))


def _bare(base: ast.expr) -> ast.expr:
    return base.value if isinstance(base, ast.Subscript) else base

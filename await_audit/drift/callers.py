"""The callers that use a function as it was before its colour changed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from await_audit.drift.doubts import Doubts
from await_audit.drift.flipped import Flipped
from await_audit.drift.model import Caller
from await_audit.drift.results import Answer, still_gives
from await_audit.drift.uses import Place, Use, given, places
from await_audit.resolver.colour import Colour
from await_audit.resolver.functions import Unparsable
from await_audit.resolver.modules import Module, Tree
from await_audit.resolver.resolution import Resolver
from await_audit.resolver.scopes import Assigned, Binding, Imported
from await_audit.resolver.values import FunctionValue

LETTER = rb"[\w\x80-\xff]"
"""A byte of a name in UTF-8."""


class Search:
    """Looks for the callers of functions in all modules that name one of them."""

    def __init__(
        self,
        flipped: Sequence[Flipped],
        tree: Tree,
        read: Callable[[str], bytes],
        stood_before: Callable[[str, str], bool],
    ) -> None:
        """`stood_before` says of a file and some lines whether they were there at the revision."""
        self._tree = tree
        self._resolver = Resolver(tree)
        self._read = read
        self._stood_before = stood_before
        self._flipped = {one.value: one for one in flipped}
        self._names = {one.now.name for one in flipped}
        self._candidates: dict[str, Module] = {}
        self._doubts = Doubts(self._flipped, self._resolver, read, self._candidates.values)

    def run(self) -> None:
        """Fill in the callers of each function."""
        for one in self._flipped.values():
            module = self._tree.module(one.path)
            if module is not None:
                one.still = still_gives(one.was, one.now, module, self._resolver)
        self._gather()
        for module in self._candidates.values():
            for node in list(module.parents):
                match node:
                    case (
                        ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name, ctx=ast.Load())
                    ) if name in self._names:
                        self._judge(node, module)
        self._doubts.overrides()

    def _gather(self) -> None:
        """Collect the modules that name a function, and the other names that they give it."""
        pending = set(self._names)
        while pending:
            names = b"|".join(one.encode() for one in pending)
            pattern = re.compile(rb"(?<!%b)(?:%b)(?!%b)" % (LETTER, names, LETTER))
            exported: set[str] = set()
            for path in self._tree.paths:
                if path in self._candidates or not self._has(path, pattern):
                    continue
                module = self._tree.module(path)
                if module is not None:
                    self._candidates[path] = module
            for module in self._candidates.values():
                exported |= self._aliases(module)
            pending = exported - self._names
            self._names |= exported

    def _has(self, path: str, pattern: re.Pattern[bytes]) -> bool:
        try:
            return bool(pattern.search(self._read(path)))
        except Unparsable:
            return True  # reading it as a module says why

    def _aliases(self, module: Module) -> set[str]:
        return {
            name
            for scope in module.scopes.values()
            for name, bindings in scope.bindings.items()
            if name not in self._names and any(map(self._names_one, bindings))
        }

    def _names_one(self, binding: Binding) -> bool:
        match binding:
            case Imported(name=str() as name):
                return name in self._names
            case Assigned(value=ast.Name(id=name) | ast.Attribute(attr=name)):
                return name in self._names
            case _:
                return False

    def _judge(self, node: ast.Name | ast.Attribute, module: Module) -> None:
        found = self._resolver.reference(node, module)
        hits = [one for value in found if (one := self._flipped_by(value)) is not None]
        certain = bool(hits) and len(hits) == len(found) and self._is_certain(node, hits, module)
        for one in hits or list(self._doubts.may_be(node, found, module)):
            for place in self._left_behind(node, one, module):
                sure = certain and place.certain and one.still is Answer.NO
                if place.use is not Use.PASSED or self._unchanged(place.node, module):
                    self._add(one, module, place, certain=sure and place.use is not Use.PASSED)

    def _flipped_by(self, value: object) -> Flipped | None:
        return self._flipped.get(value) if isinstance(value, FunctionValue) else None

    def _is_certain(
        self, node: ast.Name | ast.Attribute, hits: Sequence[Flipped], module: Module
    ) -> bool:
        """Say whether all hits changed alike, and no class overrides one of them."""
        changes = {(one.was.colour, one.now.colour) for one in hits}
        overridden = (self._doubts.is_overridden(node, one, module) for one in hits)
        return len(changes) == 1 and not any(overridden)

    def _left_behind(
        self, node: ast.Name | ast.Attribute, one: Flipped, module: Module
    ) -> list[Place]:
        if one.still is Answer.YES:
            return []
        parent = module.parents[node]
        used: ast.expr = node
        if isinstance(parent, ast.Call) and parent.func is node:
            used = parent
            uses = places(parent, module, self._resolver)
        elif one.now.is_property:
            uses = places(node, module, self._resolver)
        elif isinstance(parent, ast.Attribute):
            return []  # an attribute of the function itself
        else:
            place = given(node, module, self._resolver)
            uses = [place] if place is not None else []
        if one.now.colour is not Colour.SYNC and any(
            place.use is Use(one.now.colour) for place in uses
        ):
            return []  # awaited further on: what else is done with it is right
        left = [place for place in uses if place.use in (Use(one.was.colour), Use.PASSED)]
        if one.was.colour is not Colour.SYNC:
            return left
        return [replace(place, node=used) for place in left]  # there the await has to come

    def _add(self, one: Flipped, module: Module, place: Place, *, certain: bool) -> None:
        end = place.node.end_lineno or place.node.lineno
        how = place.how.format(one.now.qualname)
        caller = Caller(Path(module.path), place.node.lineno, end, how, certain)
        here = (caller.path, caller.line)
        same = {seen for seen in one.callers if (seen.path, seen.line) == here}
        if certain or not same:
            one.callers -= {seen for seen in same if not seen.certain}
            one.callers.add(caller)

    def _unchanged(self, node: ast.expr, module: Module) -> bool:
        """Whether the lines of a place were there at the revision: nobody has adapted them."""
        statement = next(one for one in module.above(node) if isinstance(one, ast.stmt))
        whole = statement if not hasattr(statement, "body") else node
        lines = self._read(module.path).decode("utf-8", "replace").splitlines()
        return self._stood_before(
            module.path, "\n".join(lines[whole.lineno - 1 : whole.end_lineno or whole.lineno])
        )

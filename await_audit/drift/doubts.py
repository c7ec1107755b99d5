"""What cannot be resolved with certainty: unknown objects, foreign imports, overrides."""

from __future__ import annotations

import ast
import io
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from await_audit.drift.flipped import Flipped
from await_audit.drift.model import Caller
from await_audit.resolver import classes
from await_audit.resolver.colour import Colour, Function
from await_audit.resolver.modules import Module
from await_audit.resolver.resolution import Resolver
from await_audit.resolver.scopes import Imported
from await_audit.resolver.values import (
    ClassValue,
    Foreign,
    FunctionValue,
    Instance,
    ModuleValue,
    Unknown,
    Values,
)

COMMON = frozenset().union(
    *map(dir, (dict, list, set, str, bytes, io.TextIOWrapper, io.BytesIO, socket.socket, Path))
)
"""Names of methods that objects of the standard library have."""


class Doubts:
    """Says where another function may be meant; `modules` gives those that name a function."""

    def __init__(
        self,
        flipped: Mapping[FunctionValue, Flipped],
        resolver: Resolver,
        read: Callable[[str], bytes],
        modules: Callable[[], Iterable[Module]],
    ) -> None:
        self._flipped = flipped
        self._resolver = resolver
        self._read = read
        self._modules = modules

    def may_be(
        self, node: ast.Name | ast.Attribute, found: Values, module: Module
    ) -> Iterator[Flipped]:
        """Yield the functions that something not understood may stand for."""
        unknown = any(isinstance(one, Unknown) for one in found)
        for one in self._flipped.values():
            name = one.now.name
            match node:
                case ast.Attribute(attr=attribute) if attribute == name and unknown:
                    owners = self._resolver.value(node.value, module)
                    if any(isinstance(own, ModuleValue) for own in owners) or (
                        one.is_method and self._may_have(module, one)
                    ):
                        yield one
                case ast.Name(id=local) if unknown and not one.is_method:
                    if self._may_come_from_elsewhere(local, name, node, module):
                        yield one
                case _:
                    pass
            if not one.is_method and self._sounds_like(one, found):
                yield one

    def _may_have(self, module: Module, one: Flipped) -> bool:
        """Whether an unknown object in a module may have the method.

        A plain call of a method that dictionaries or files have as well counts only in a file
        that names the class: there are too many of them.
        """
        if one.was.colour is not Colour.SYNC or one.now.name not in COMMON:
            return True
        owner = one.now.qualname.split(".")[-2].encode()
        return re.search(rb"\b%s\b" % owner, self._read(module.path)) is not None

    def _may_come_from_elsewhere(
        self, local: str, name: str, node: ast.Name, module: Module
    ) -> bool:
        owner = module.scope_of(node).owner(local)
        if owner is None:
            return local == name and bool(module.scope.stars)
        bindings = owner.bindings[local]
        return any(isinstance(one, Imported) and one.name == name for one in bindings)

    def _sounds_like(self, one: Flipped, found: Values) -> bool:
        """Whether an import that leads out of the tree names a module and function like it."""
        module = self._resolver.tree.names(one.path)[0].rpartition(".")[2]
        end = f"{module}.{one.now.name}"
        names = [other.name for other in found if isinstance(other, Foreign)]
        return any(other == end or other.endswith(f".{end}") for other in names)

    def _overriding(self, name: str) -> Iterator[tuple[Module, ClassValue, Function]]:
        for module in self._modules():
            for qualname in module.classes:
                function = module.functions.get(f"{qualname}.{name}")
                if function is not None:
                    yield module, ClassValue(module.path, qualname), function

    def is_overridden(self, node: ast.expr, one: Flipped, module: Module) -> bool:
        """Whether the object may be of a subclass in which the function has another colour."""
        if not one.is_method or not isinstance(node, ast.Attribute):
            return False
        owners = self._resolver.value(node.value, module)
        open_ended = {
            ClassValue(own.path, own.qualname)
            for own in owners
            if isinstance(own, Instance) and not own.exact
        }
        return any(
            function.colour is not one.now.colour
            and any(base in open_ended for base in classes.lineage(self._resolver, subclass)[1:])
            for _, subclass, function in self._overriding(one.now.name)
        )

    def overrides(self) -> None:
        """Add the methods of subclasses that have the colour that was left."""
        for one in self._flipped.values():
            if not one.is_method:
                continue
            owner = ClassValue(one.path, one.now.qualname.rpartition(".")[0])
            for module, subclass, function in self._overriding(one.now.name):
                if function.colour is not one.was.colour:
                    continue
                if owner in classes.lineage(self._resolver, subclass)[1:]:
                    how = f"overrides {one.now.qualname} as {function.colour}"
                    line = function.line
                    one.callers.add(Caller(Path(module.path), line, line, how, certain=False))

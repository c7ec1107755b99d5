"""The modules of a working tree: which file a dotted name means, and what its names stand for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from await_audit.resolver.colour import Function
from await_audit.resolver.functions import FUNCTIONS, LOCALS, Unparsable, functions, parse
from await_audit.resolver.nodes import children, parents
from await_audit.resolver.scopes import Scope, scopes


@dataclass(eq=False, slots=True)
class Module:
    """One parsed file; `scopes` says for each node that opens a scope which one that is."""

    path: str
    name: str
    tree: ast.Module
    functions: dict[str, Function]
    classes: dict[str, ast.ClassDef]
    scopes: dict[ast.AST, Scope]
    qualnames: dict[ast.AST, str]
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """The scope of the module itself."""
        return self.scopes[self.tree]

    @property
    def package(self) -> str:
        """The name that relative imports start from."""
        is_package = PurePosixPath(self.path).name == "__init__.py"
        return self.name if is_package else self.name.rpartition(".")[0]

    def scope_of(self, node: ast.AST) -> Scope:
        """Return the scope in which a node is evaluated."""
        return next(self.scopes[one] for one in self.above(node) if one in self.scopes)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what surrounds a node, from its parent to the module."""
        while node in self.parents:
            node = self.parents[node]
            yield node


def read_module(path: str, name: str, content: bytes | str) -> Module:
    """Parse a module. Raises `Unparsable`."""
    tree = parse(content)
    try:
        above = parents(tree)
    except RecursionError as error:
        raise Unparsable(f"cannot be parsed: {error}") from error
    module = Module(path, name, tree, functions(tree), {}, scopes(tree), {}, above)
    _name(module, tree, "")
    return module


def _name(module: Module, node: ast.AST, prefix: str) -> None:
    for child in children(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            qualname = module.qualnames[child] = prefix + child.name
            if isinstance(child, ast.ClassDef):
                module.classes[qualname] = child
                _name(module, child, f"{qualname}.")
            else:
                _name(module, child, f"{qualname}.{LOCALS}.")
        elif not isinstance(child, ast.expr):
            _name(module, child, prefix)


class Tree:
    """All modules of a working tree, read when they are asked for."""

    def __init__(self, paths: Iterable[str], read: Callable[[str], bytes | str]) -> None:
        """`read` returns the content of a file, or raises `Unparsable`."""
        self.paths = tuple(paths)
        self._read = read
        self._parsed: dict[str, Module | None] = {}
        self._files: dict[str, list[str]] = {}
        self.unread: dict[str, Unparsable] = {}
        """Files that were asked for and could not be read or parsed, and why."""
        self._present = frozenset(self.paths)
        for path in self.paths:
            for name in self.names(path):
                self._files.setdefault(name, []).append(path)

    def module(self, path: str) -> Module | None:
        """Return the module in a file, or `None` if the file cannot be read or parsed."""
        if path not in self._parsed:
            self._parsed[path] = None
            try:
                self._parsed[path] = read_module(path, self.names(path)[0], self._read(path))
            except Unparsable as error:
                self.unread[path] = error
        return self._parsed[path]

    @property
    def read(self) -> list[Module]:
        """The modules that were asked for so far."""
        return [module for module in self._parsed.values() if module is not None]

    def names(self, path: str) -> list[str]:
        """Return the names that a file may be imported by, the most likely one first.

        That is from the first folder upwards that is no package. From the folders above it as well,
        because a package needs no ``__init__.py``.
        """
        return _dotted_names(path, self._present)

    def find(self, name: str, importer: str) -> str | None:
        """Return the file of a module by its dotted name; of several the nearest to the importer.

        `None` if there is none, or if two are as near.
        """
        near = PurePosixPath(importer).parts

        def shared(path: str) -> int:
            pairs = zip(near, PurePosixPath(path).parts, strict=False)
            return next((n for n, (a, b) in enumerate(pairs) if a != b), len(near))

        candidates = sorted(self._files.get(name, ()), key=shared, reverse=True)
        if len(candidates) > 1 and shared(candidates[0]) == shared(candidates[1]):
            return None
        return candidates[0] if candidates else None

    def every(self, name: str) -> list[str]:
        """Return all files that a dotted name may mean."""
        return self._files.get(name, [])

    def has_package(self, name: str) -> bool:
        """Whether modules have names below this one, though it may have no file itself."""
        return any(one.startswith(f"{name}.") for one in self._files)


def _dotted_names(path: str, present: frozenset[str]) -> list[str]:
    file = PurePosixPath(path)
    parts = list(file.with_suffix("").parts)
    start = len(parts) - 1
    while start > 0 and "/".join([*parts[:start], "__init__.py"]) in present:
        start -= 1
    if parts[-1] == "__init__":
        parts.pop()
    start = min(start, len(parts) - 1)
    return [".".join(parts[first:]) for first in range(start, -1, -1)] or [""]

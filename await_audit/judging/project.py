"""The project around the judged files, and what in it may stand behind a name of theirs."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from await_audit.engines.mirror import NO_COPY, Mirror
from await_audit.errors import AuditError
from await_audit.files import find_files
from await_audit.resolver.functions import FUNCTIONS
from await_audit.resolver.modules import Module, Tree
from await_audit.resolver.nodes import walk
from await_audit.resolver.resolution import Resolver, absolute
from await_audit.resolver.scopes import Assigned, Imported, Scope

MARKS = (".git", "pyproject.toml")
"""What the top folder of a project holds."""

HARMLESS = frozenset({"getattr", "hasattr", "print", "debug", "info", "warning", "error", "get"})
"""Functions that do nothing to what a string names."""

KEYWORDS = frozenset(
    [
        *("AsyncMock", "MagicMock", "Mock", "NonCallableMagicMock", "NonCallableMock", "update"),
        *("configure_mock", "create_autospec", "dict", "multiple", "new_class", "patch", "type"),
        *("SimpleNamespace", "object", "setattr", "__init_subclass__"),
    ]
)
"""Functions whose keyword arguments may become attributes."""

MOCKED = frozenset({"return_value", "side_effect"})
"""What a mock is set to give."""


def around(paths: Iterable[Path], given: Iterable[Path], root: Path) -> dict[Path, str]:
    """Return the text of the files of the projects of `paths`, but for those below `given`.

    The project of a file is the nearest folder above it with `.git` or `pyproject.toml`, else
    `root` if that is above it and more than somebody's home, else its own folder.
    """
    folders = {folder: _top(folder, root) for folder in {path.parent for path in paths}}
    tops = {top for top in folders.values() if not any(map(top.is_relative_to, given))}
    texts: dict[Path, str] = {}
    for top in sorted(tops):
        try:
            found = find_files([top])
        except AuditError:
            continue
        for path in found.paths:
            try:
                texts[path] = found.text(path).text
            except OSError:
                continue
    return texts


def _top(folder: Path, root: Path) -> Path:
    for one in (folder, *folder.parents):
        if any((one / mark).exists() for mark in MARKS):
            return one
    too_much = {Path.home(), Path(root.anchor)}
    return root if folder.is_relative_to(root) and root not in too_much else folder


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """A place that gives a name to something.

    `node` is a function's definition, or whatever else gives the name. `owner` is the class whose
    attribute that is, None if it may be the attribute of anything.
    """

    module: Module
    owner: ast.ClassDef | None
    node: ast.AST


class Project:
    """The files of a project; paths are those of the originals, texts those of the copies."""

    def __init__(self, texts: Mapping[Path, str], mirror: Mirror = NO_COPY) -> None:
        self.texts = {mirror.outside(path): text for path, text in texts.items()}
        self.mirror = mirror
        self.tree = Tree(map(str, self.texts), lambda path: self.texts[Path(path)])
        self.resolver = Resolver(self.tree)
        self._given: dict[Path, Mapping[str, list[Other]]] = {}
        self._others: dict[str, list[Other]] = {}
        self._unread: dict[str, bool] = {}
        self._imported: dict[Path, set[Path]] | None = None
        self._reached: dict[Path, set[Path]] = {}

    def module(self, path: Path) -> Module | None:
        """Return the module in a file of the project, None if there is none or it is broken."""
        path = self.mirror.outside(path)
        return self.tree.module(str(path)) if path in self.texts else None

    def module_of(self, node: ast.AST) -> Module | None:
        """Return the module that a node stands in."""
        read = (module for module in self.tree.read if node in module.parents)
        return next(read, None)

    def assigned(
        self, name: str, scope: Scope, module: Module
    ) -> Iterator[tuple[ast.expr | None, Module]]:
        """Yield the values of a variable, and where they stand; None for what is no assignment.

        An import is followed to the variable of the other module.
        """
        for one in scope.bindings.get(name, ()):
            if isinstance(one, Imported) and one.name:
                path = self.tree.find(absolute(one, module), module.path)
                other = self.tree.module(path) if path else None
                bound = other.scope.bindings.get(one.name, ()) if other else ()
                for each in bound:
                    yield (each.value if isinstance(each, Assigned) else None), other or module
            else:
                yield (one.value if isinstance(one, Assigned) else None), module

    def files_with(self, *words: str) -> Iterator[Path]:
        """Yield the files that hold all words."""
        for path, text in self.texts.items():
            if all(word in text for word in words) and all(_has(text, word) for word in words):
                yield path

    def others(self, name: str) -> list[Other]:
        """Return every place that may give `name` to something."""
        if name not in self._others:
            found: list[Other] = []
            for path in self.files_with(name):
                if not _gives(self.texts[path], name):
                    continue
                module = self.module(path)
                if module is None:
                    self._unread[name] = True
                else:
                    if path not in self._given:
                        self._given[path] = _others(module)
                    found += self._given[path].get(name, ())
            self._others[name] = found
        return self._others[name]

    def is_hidden(self, name: str) -> bool:
        """Say whether a file that cannot be parsed may give `name` to something."""
        self.others(name)
        return name in self._unread

    def importers(self, path: Path) -> Set[Path]:
        """Return the files that import a file, by way of others too, itself included."""
        if path not in self._reached:
            graph = self._graph()
            found, todo = {path}, [path]
            while todo:
                new = graph.get(todo.pop(), set()) - found
                found |= new
                todo.extend(new)
            self._reached[path] = found
        return self._reached[path]

    def connected(self, path: Path, other: Path) -> bool:
        """Say whether some file imports both, so that what one holds may come to the other."""
        return not self.importers(path).isdisjoint(self.importers(other))

    def _graph(self) -> dict[Path, set[Path]]:
        if self._imported is None:
            self._imported = defaultdict(set)
            for path, text in self.texts.items():
                for name in _imports(text):
                    for found in self._files_of(name, path):
                        self._imported[found].add(path)
            for path in (one for one in self.texts if one.name == "conftest.py"):
                # pytest gives its fixtures to each test beside and below.
                self._imported[path].update(
                    one
                    for one in self.texts
                    if one.is_relative_to(path.parent) and _hidden(one) == _hidden(path)
                )
        return self._imported

    def _files_of(self, name: str, path: Path) -> Iterator[Path]:
        """Yield the files that a dotted name may mean, and those of the packages above it."""
        dots = len(name) - len(name.lstrip("."))
        parts = name[dots:].split(".")
        if dots:
            folder = path.parents[min(dots, len(path.parents)) - 1]
            for number in range(len(parts) + 1):
                base = folder.joinpath(*parts[:number])
                yield from {base.with_suffix(".py"), base / "__init__.py"} & self.texts.keys()
            return
        for number in range(1, len(parts) + 1):
            dotted = ".".join(parts[:number])
            one = self.tree.find(dotted, str(path))
            every = map(Path, [one] if one else self.tree.every(dotted))
            yield from (other for other in every if _hidden(other) <= _hidden(path))


IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[.\w]+)[ \t]+import\b[ \t]*(?P<names>\([^)]*\)|[^\n]*)"
    r"|import[ \t]+(?P<modules>[^\n#]+))",
    re.MULTILINE,
)
QUOTED = re.compile(r"[\"']((?:\w+\.)+\w+)[\"']|import_module\(\s*[\"']([.\w]+)")


def _imports(text: str) -> Iterator[str]:
    """Yield the dotted names that a text imports, or has in quotes."""
    for match in IMPORT.finditer(text):
        if match["module"]:
            end = "" if match["module"].endswith(".") else "."
            for name in re.findall(r"\w+", match["names"]) or [""]:
                yield f"{match['module']}{end}{name}".rstrip(".") if name else match["module"]
        else:
            yield from re.findall(r"[\w.]+", match["modules"])
    for dotted, name in QUOTED.findall(text):
        yield dotted or name


def _hidden(path: Path) -> set[str]:
    """Return the hidden folders that lead to a file: from outside nothing is imported there."""
    return {part for part in path.parts if part.startswith(".")}


def _has(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text) is not None


def _gives(text: str, name: str) -> bool:
    """Say whether a text may do more with a name than call it."""
    word = re.escape(name)
    return (
        re.search(
            rf"(?:def|as|class)\s+{word}\b|\b{word}\s*(?:=(?!=)|:|,|\)?\s*in\b|\])"
            rf"|[\"'.:]{word}[\"']|del\b[^\n]*\b{word}\b|\b{word}\.(?:return_value|side_effect)",
            text,
        )
        is not None
    )


def owner_of(node: ast.AST, module: Module) -> ast.ClassDef | None:
    """Return the class in whose body, or in one of whose methods, a node stands."""
    return next((one for one in module.above(node) if isinstance(one, ast.ClassDef)), None)


def _scope_node(node: ast.AST, module: Module) -> ast.AST:
    kinds = (*FUNCTIONS, ast.ClassDef, ast.Module, ast.Lambda)
    return next((one for one in module.above(node) if isinstance(one, kinds)), module.tree)


def _others(module: Module) -> dict[str, list[Other]]:
    """Return every place of a module that gives a name to something, by the name."""
    found: dict[str, list[Other]] = defaultdict(list)
    for node in walk(module.tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.Name(id=name, ctx=ast.Store() | ast.Del())
            ):
                scope = _scope_node(node, module)
                if isinstance(scope, ast.ClassDef):
                    found[name].append(Other(module, scope, node))
                elif isinstance(node, FUNCTIONS):
                    found[name].append(Other(module, None, node))
            case ast.alias():
                scope = _scope_node(node, module)
                if isinstance(scope, ast.ClassDef):
                    found[node.asname or node.name].append(Other(module, scope, node))
            case ast.Attribute(value=value, attr=name, ctx=ast.Store() | ast.Del()):
                found[name].append(Other(module, _receiver(value, module), node))
                if isinstance(value, ast.Attribute) and name in MOCKED:
                    found[value.attr].append(Other(module, None, node))
            case ast.Call():
                for name in _names(node):
                    found[name].append(Other(module, None, node))
            case ast.Subscript(slice=ast.Constant(value=str() as name), ctx=ast.Store()):
                found[name].append(Other(module, None, node))
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        held = isinstance(value, ast.Name | ast.Attribute | ast.Lambda | ast.Call)
                        if held and ast.unparse(value) != f"self.{key.value}":
                            found[key.value].append(Other(module, None, key))
    return found


def _receiver(node: ast.expr, module: Module) -> ast.ClassDef | None:
    """Return the class that `self` or `cls` is of in one of its methods."""
    if not isinstance(node, ast.Name):
        return None
    for one in module.above(node):
        if isinstance(one, FUNCTIONS):
            arguments = [*one.args.posonlyargs, *one.args.args]
            owner = module.parents.get(one)
            if arguments and arguments[0].arg == node.id and isinstance(owner, ast.ClassDef):
                return owner
    return None


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, empty where there is none."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call():
            return last_name(node.func)
        case _:
            return ""


def _names(call: ast.Call) -> set[str]:
    """Return the attributes and globals that a call may give something to."""
    function = last_name(call.func)
    names = {one.arg for one in call.keywords if one.arg} if function in KEYWORDS else set()
    if function in HARMLESS:
        return names
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    for one in given:
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            *dotted, last = re.split("[.:]", one.value)
            names |= {last} if dotted else set()
            names |= {one.value} if len(given) > 1 else set()
    return names

"""Imports that may fail: their program knows it, so that none of them is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from pathlib import Path

from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.files import Files
from await_audit.interpreter import Interpreter
from await_audit.resolver.functions import FUNCTIONS, Unparsable, parse
from await_audit.resolver.nodes import walk
from await_audit.search_path import Folders

MISSING = frozenset({"ImportError", "ModuleNotFoundError"})
"""What an import that fails raises."""

ANYTHING = frozenset({"Exception", "BaseException"})

CHECKING = frozenset({"TYPE_CHECKING", "MYPY"})

CONDITIONS = frozenset(
    {
        *("sys.version_info", "sys.version", "sys.hexversion", "sys.implementation"),
        *("sys.platform", "os.name", "platform", "six.PY2", "six.PY3"),
        *("importlib.util.find_spec", "importlib.find_loader", "pkgutil.find_loader"),
        *("importlib.metadata", "importlib_metadata", "pkg_resources"),
    }
)
"""What a program asks for its version, its platform, and for what is installed."""

VERSIONS = frozenset({"__version__", "__version_info__", "VERSION", "version_info"})
"""The attributes that say which version of a library is installed."""

HIDING = re.compile(
    rb"except\b[^:\n]*\b(Import|ModuleNotFound)Error"
    rb"|if\b[^\n]*(version_info|platform|os\.name)[^\n]*:\s*(#[^\n]*\s+)*(import|from)\b"
)
"""What stands in a file with imports of which pyrefly may say nothing."""

PLAIN = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Pass)


class _Guard(IntEnum):
    """What guards a block: nothing; what runs in it now; what is defined in it, for later, too."""

    NONE = 0
    NOW = 1
    ALWAYS = 2


Said = tuple[str, Diagnostic]
"""What a type checker says, with its name."""

Statement = ast.Import | ast.ImportFrom


class GuardedImports:
    """The guarded imports of the files of an audit that are not resolved.

    Pyrefly passes over many of them in silence, so those are looked for here.
    """

    def __init__(self, files: Files, search_path: Sequence[Path], python: Interpreter) -> None:
        """`search_path` is where imports start, before those of `python`."""
        self._files = files
        self._search_path = search_path
        self._python = python
        self._folders = Folders()
        self._at: dict[tuple[Path, int], Statement] = {}
        self._read_files: set[Path] = set()
        self._unresolved: set[Statement] = set()
        for path in files.paths:
            if HIDING.search(path.read_bytes()):
                self._read(path)

    def _read(self, path: Path) -> None:
        self._read_files.add(path)
        for one in guarded_imports(self._files.text(path).text):
            lines = range(one.lineno, (one.end_lineno or one.lineno) + 1)
            self._at.update(((path, line), one) for line in lines)
            if not self._is_there(one, path):
                self._unresolved.add(one)

    def _is_there(self, statement: Statement, path: Path) -> bool:
        """Whether there are the modules that an import names."""
        starts: Sequence[Path] = (*self._search_path, *path.parents, *self._python.search_path)
        if isinstance(statement, ast.Import):
            return all(self._has(one.name, starts) for one in statement.names)
        if statement.level:
            starts = path.parents[statement.level - 1 : statement.level]
        return not statement.module or self._has(statement.module, starts)

    def _has(self, name: str, starts: Sequence[Path]) -> bool:
        *packages, last = name.split(".")
        top = name.partition(".")[0]
        tops = [start for start in starts if top in self._folders.modules(start)]
        if not tops:
            return top in self._python.modules  # of another platform, or without a file
        return any(last in self._folders.modules(start.joinpath(*packages)) for start in tops)

    def without(self, said: Iterable[Said]) -> list[Said]:
        """Take the unresolved imports that are guarded out of what type checkers say."""
        said = list(said)
        for path in {one.path for _, one in said if _is_import(one)} - self._read_files:
            self._read(path)
        guarded = [
            self._at.get((one.path, one.span.line)) if _is_import(one) else None for _, one in said
        ]
        self._unresolved.update(one for one in guarded if one is not None)
        return [one for one, guard in zip(said, guarded, strict=True) if guard is None]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._unresolved)


def _is_import(said: Diagnostic) -> bool:
    return said.symptom is Symptom.UNRESOLVED_IMPORT


def guarded_imports(text: str) -> list[Statement]:
    """Return the imports that may fail: in a `try` that catches it, and in a branch.

    A branch is that of a version, of a platform, of `TYPE_CHECKING`, of `find_spec`, or of a name
    that was made of one of them or beside an import that may fail. There is none in a text that
    this Python cannot parse.
    """
    try:
        module = parse(text.encode())
    except Unparsable:
        return []
    return list(_Guards(module).imports(module))


class _Guards:
    def __init__(self, module: ast.Module) -> None:
        self._above: dict[ast.stmt, ast.stmt | None] = dict.fromkeys(module.body)
        outside = list(module.body)  # of all functions
        pending = list(module.body)
        for one in pending:
            for block in _within(one):
                self._above.update(dict.fromkeys(block, one))
                pending += block
        self._aliases = dict(pair for one in self._above for pair in _aliases(one))
        self._known: set[str] = set()
        for one in outside:
            if not isinstance(one, FUNCTIONS):
                outside += (part for block in _within(one) for part in block)
        for one in outside:
            if isinstance(one, ast.Try | ast.TryStar) and self._catches(one):
                blocks = [one.body, one.orelse, *(handler.body for handler in one.handlers)]
                self._known.update(_bound(part for block in blocks for part in block))
        for one in outside:
            value = one.value if isinstance(one, ast.Assign | ast.AnnAssign) else None
            if value is not None and self._asks(value):
                self._known.update(_bound([one]))

    def imports(self, module: ast.Module) -> Iterator[Statement]:
        """Yield the imports that are guarded by what is around them."""
        holding: set[ast.stmt] = set()
        for one in self._above:
            if isinstance(one, ast.Import | ast.ImportFrom):
                holder: ast.stmt | None = one
                while holder is not None and holder not in holding:
                    holding.add(holder)
                    holder = self._above[holder]
        pending = [(module.body, _Guard.NONE)]
        while pending:
            statements, guard = pending.pop()
            for one in holding.intersection(statements):
                if isinstance(one, ast.Import | ast.ImportFrom):
                    if guard:
                        yield one
                elif isinstance(one, FUNCTIONS):
                    pending.append((one.body, guard if guard is _Guard.ALWAYS else _Guard.NONE))
                else:
                    pending += ((block, max(guard, own)) for block, own in self._blocks(one))

    def _blocks(self, statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], _Guard]]:
        """Yield the blocks of a statement, and how it guards them."""
        match statement:
            case ast.Try() | ast.TryStar():
                catches = self._catches(statement)
                # What stands in for an import is as optional, and what comes after it, too.
                yield statement.body, _Guard.NOW if catches else _Guard.NONE
                for block in (*(one.body for one in statement.handlers), statement.orelse):
                    yield block, _Guard.ALWAYS if catches else _Guard.NONE
                yield statement.finalbody, _Guard.NONE
            case ast.With() | ast.AsyncWith():
                calls = [one.context_expr for one in statement.items]
                yield statement.body, _Guard(any(map(self._suppresses, calls)))
            case ast.If():
                then, otherwise = self._branches(statement.test)
                yield statement.body, then
                yield statement.orelse, otherwise
            case ast.Match():
                asks = _Guard.ALWAYS if self._asks(statement.subject) else _Guard.NONE
                yield from ((case.body, asks) for case in statement.cases)
            case _:
                for name in ("body", "orelse"):
                    yield getattr(statement, name, []), _Guard.NONE

    def _catches(self, statement: ast.Try | ast.TryStar) -> bool:
        """Whether a failing import is caught; by what catches anything, if little else can fail."""
        caught = {name for one in statement.handlers for name in self._caught(one.type)}
        if caught & MISSING:
            return True
        return bool(caught & ANYTHING) and all(isinstance(one, PLAIN) for one in statement.body)

    def _caught(self, node: ast.expr | None) -> list[str]:
        if node is None:
            return ["BaseException"]
        nodes = node.elts if isinstance(node, ast.Tuple) else [node]
        return [self._dotted(one).rpartition(".")[2] for one in nodes]

    def _suppresses(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Call) or not self._dotted(node.func).endswith(".suppress"):
            return False
        return any(MISSING.intersection(self._caught(one)) for one in node.args)

    def _branches(self, test: ast.expr) -> tuple[_Guard, _Guard]:
        """Return how a condition guards what comes if it holds, and if it does not."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            then, otherwise = self._branches(test.operand)
            return otherwise, then
        if self._asks(test):
            return _Guard.ALWAYS, _Guard.ALWAYS
        checking = any(self._dotted(one).rpartition(".")[2] in CHECKING for one in ast.walk(test))
        return _Guard.ALWAYS if checking else _Guard.NONE, _Guard.NONE

    def _asks(self, test: ast.expr) -> bool:
        for node in ast.walk(test):
            parts = self._dotted(node).split(".")
            starts = {".".join(parts[: end + 1]) for end in range(len(parts))}
            if starts & CONDITIONS or (parts[0] != "builtins" and parts[-1] in VERSIONS):
                return True
            if isinstance(node, ast.Name) and node.id in self._known:
                return True
        return False

    def _dotted(self, node: ast.AST) -> str:
        """Return the dotted name of an expression by the module that it is from, or ""."""
        names = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self._aliases.get(node.id, f"builtins.{node.id}"), *reversed(names)])


def _within(statement: ast.stmt) -> list[list[ast.stmt]]:
    """Return the blocks of a statement."""
    holders = [statement, *getattr(statement, "handlers", []), *getattr(statement, "cases", [])]
    return [getattr(one, name, []) for one in holders for name in ("body", "orelse", "finalbody")]


def _aliases(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, and the dotted names that they stand for."""
    if isinstance(node, ast.Import):
        for one in node.names:
            top = one.name.partition(".")[0]
            yield (one.asname, one.name) if one.asname else (top, top)
    elif isinstance(node, ast.ImportFrom):
        for one in node.names:
            yield one.asname or one.name, f"{node.module or ''}.{one.name}"


def _bound(statements: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that statements bind by assignments and imports."""
    for node in (node for statement in statements for node in walk(statement)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (name for name, _ in _aliases(node))

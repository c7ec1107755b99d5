"""Imports that may fail: their program knows it, so that none of them is missing."""

from __future__ import annotations

import ast
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from pathlib import Path

from await_audit.engines import Settings, pyrefly
from await_audit.engines.diagnostic import Diagnostic, Symptom
from await_audit.files import Files
from await_audit.resolver.functions import FUNCTIONS, Unparsable, parse
from await_audit.resolver.nodes import walk

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

HIDING = re.compile(rb"ImportError|ModuleNotFoundError|version_info|sys\.platform|os\.name")
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


def without_guarded(
    said: Sequence[Said], files: Files, settings: Settings
) -> tuple[list[Said], int]:
    """Take the unresolved imports that are guarded out of what is said; count those there are.

    Pyrefly passes over many of them in silence, so it is asked again about nothing but these.
    Raises AuditError if it fails.
    """
    unresolved = {(one.path, one.span.line) for _, one in said if _is_import(one)}
    told = {path for path, _ in unresolved}
    guarded: dict[tuple[Path, int], Statement] = {}
    for path in files.paths:
        if path in told or HIDING.search(path.read_bytes()):
            for statement in guarded_imports(files.text(path).text):
                lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
                guarded.update(((path, line), statement) for line in lines)
    left = [one for one in said if not (_is_import(one[1]) and _place(one[1]) in guarded)]
    known = {guarded[place] for place in unresolved & guarded.keys()}
    others = {one: path for (path, _), one in guarded.items() if one not in known}
    return left, len(known) + _count_unresolved(others, settings)


def _is_import(said: Diagnostic) -> bool:
    return said.symptom is Symptom.UNRESOLVED_IMPORT


def _place(said: Diagnostic) -> tuple[Path, int]:
    return said.path, said.span.line


def _count_unresolved(statements: Mapping[Statement, Path], settings: Settings) -> int:
    """Count the imports that are not resolved where nothing guards them."""
    relative = {one: path for one, path in statements.items() if getattr(one, "level", 0)}
    lines = [ast.unparse(one) for one in statements if one not in relative]
    missing = sum(not _is_there(one, path) for one, path in relative.items())
    if not lines:
        return missing
    # As for the files themselves, imports that are not found so are looked for above them.
    above = (folder for path in statements.values() for folder in path.parents)
    wider = replace(settings, search_path=tuple(dict.fromkeys([*settings.search_path, *above])))
    with tempfile.TemporaryDirectory(prefix="netra-ws-") as folder:
        asked = Path(folder).resolve() / "guarded_imports.py"
        asked.write_text("\n".join(lines), encoding="utf-8")
        said = pyrefly.check([asked], wider)
    return missing + len({one.span.line for one in said if _is_import(one)})


def _is_there(statement: Statement, path: Path) -> bool:
    """Whether the module of a relative import is a file or a folder."""
    assert isinstance(statement, ast.ImportFrom)
    if not statement.module:
        return True  # of the names in a package pyrefly says whether they are there
    *folders, name = statement.module.split(".")
    above = path.parents[min(statement.level, len(path.parents)) - 1].joinpath(*folders)
    return os.path.isdir(above / name) or any(above.glob(f"{name}.*"))  # noqa: PTH112


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
    return list(_Guards(module).imports(module.body, _Guard.NONE))


class _Guards:
    def __init__(self, module: ast.Module) -> None:
        nodes = walk(module)
        self._aliases = dict(pair for node in nodes for pair in _aliases(node))
        self._known: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Try | ast.TryStar) and self._catches(node):
                blocks = [node.body, node.orelse, *(one.body for one in node.handlers)]
                self._known.update(_bound(part for block in blocks for part in block))
        for node in nodes:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if value is not None and self._asks(value):
                self._known.update(_bound([node]))

    def imports(self, statements: Sequence[ast.stmt], guard: _Guard) -> Iterator[Statement]:
        """Yield the imports that are guarded by what is around them."""
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                if guard:
                    yield statement
            elif isinstance(statement, FUNCTIONS):
                lasting = guard if guard is _Guard.ALWAYS else _Guard.NONE
                yield from self.imports(statement.body, lasting)
            else:
                for block, own in self._blocks(statement):
                    yield from self.imports(block, max(guard, own))

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
        if isinstance(node, ast.Name):
            return self._aliases.get(node.id, f"builtins.{node.id}")
        if isinstance(node, ast.Attribute) and (base := self._dotted(node.value)):
            return f"{base}.{node.attr}"
        return ""


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

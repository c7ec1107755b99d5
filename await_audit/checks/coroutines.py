"""Which calls give a coroutine, as far as the text of the audited files says so for certain."""

from __future__ import annotations

import ast
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from await_audit.finding import Definition, Finding, Kind, Span
from await_audit.resolver.colour import Colour, Function
from await_audit.resolver.functions import parse
from await_audit.resolver.modules import Module, Tree
from await_audit.resolver.nodes import children, walk
from await_audit.resolver.resolution import Resolver
from await_audit.resolver.values import ModuleValue, Values
from await_audit.source import LINE_END, decode

OWN = ("own",)
"""What stands in the place of an engine."""


@dataclass(eq=False, slots=True)
class Source:
    """A file that is looked at; `relative` is its name in the tree of modules."""

    path: Path
    relative: str
    tree: ast.Module
    lines: list[bytes]
    holding: list[ast.AST]
    """The nodes in which a coroutine function is named other than to await it at once."""
    loops: set[str] | None = None
    """What is assigned an event loop of asyncio, as it is written; `None` until it is asked for."""

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """Return the span of a node: its columns count bytes, those of a span code points."""
        return Span(
            node.lineno,
            self._column(node.lineno, node.col_offset),
            node.end_lineno or node.lineno,
            self._column(node.end_lineno or node.lineno, node.end_col_offset or 0),
        )

    def _column(self, line: int, column: int) -> int:
        return len(self.lines[line - 1][:column].decode(errors="replace"))


def _holding(tree: ast.Module, names: Set[str]) -> list[ast.AST]:
    """Return the nodes that hold one of the names, the outer ones of a file first.

    The name in ``await name()`` does not count: most are there, and nothing is wrong with them.
    """
    above: dict[ast.AST, ast.AST] = {}
    holding: set[ast.AST] = set()
    nodes: list[ast.AST] = [tree]
    for node in nodes:
        for child in children(node):
            above[child] = node
            nodes.append(child)
        if isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute):
            name = node.attr
        else:
            continue
        call = above[node]
        at_once = isinstance(call, ast.Call) and call.func is node
        if name in names and not (at_once and isinstance(above[call], ast.Await)):
            one: ast.AST | None = node
            while one is not None and one not in holding:
                holding.add(one)
                one = above.get(one)
    return [node for node in nodes if node in holding]


def _place(node: ast.expr) -> tuple[int, ...]:
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0


class Coroutines:
    """Tells of an expression whether it makes a coroutine that is its only value.

    `root` is where the paths of the tree start. `names` are those of all coroutine functions of its
    files: what is called by none of them is not looked up, which is what makes this quick.
    """

    def __init__(self, tree: Tree, root: Path, names: frozenset[str]) -> None:
        self._tree = tree
        self._root = root
        self._names = names
        self._resolver = Resolver(tree)
        self._places: dict[str, dict[tuple[int, ...], ast.expr]] = {}

    def source(self, path: Path, relative: str) -> Source:
        """Return a file as it is looked at; raises `Unparsable`."""
        data = path.read_bytes()
        tree = parse(data)
        lines = [line.encode() for line in LINE_END.split(decode(data)[0])]
        return Source(path, relative, tree, lines, _holding(tree, self._names))

    def made_by(self, node: ast.expr, source: Source) -> tuple[Function, str] | None:
        """Return the coroutine function that an expression calls, and the file it is in."""
        return self.function(node.func, source) if isinstance(node, ast.Call) else None

    def function(self, node: ast.expr, source: Source) -> tuple[Function, str] | None:
        """Return the coroutine function that an expression names, and the file it is in.

        `None` unless every value it can have is one: no other binding, no decorator that may
        change what it gives, no property.
        """
        found = self.functions(node, source)
        if found and all(one.colour is Colour.COROUTINE for one, _ in found):
            return found[0]
        return None

    def functions(self, node: ast.expr, source: Source) -> list[tuple[Function, str]]:
        """Return the functions that an expression can stand for; none if it can be anything else.

        Only those that have the name of a coroutine function are looked up.
        """
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in self._names:
                return self._plain(self._reference(node, source))
        return []

    def _reference(self, node: ast.expr, source: Source) -> Values:
        module = self._tree.module(source.relative)
        same = self._same(node, module) if module is not None else None
        if module is None or same is None:
            return frozenset()
        return self._resolver.reference(same, module)

    def _plain(self, values: Values) -> list[tuple[Function, str]]:
        found = []
        for value in values:
            function = self._resolver.function(value)
            if function is None or function.is_property or not function.plain:
                return []
            found.append((function, getattr(value, "path", "")))
        return found

    def member(self, dotted: str, source: Source) -> tuple[Function, str] | None:
        """Return the function that ``package.module.function`` names, and the file it is in."""
        parts = dotted.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            path = self._tree.find(".".join(parts[:cut]), source.relative)
            module = self._tree.module(path) if path is not None else None
            if module is not None:
                return self._of_module(module, ".".join(parts[cut:]))
        return None

    def attribute(self, owner: ast.expr, name: str, source: Source) -> tuple[Function, str] | None:
        """Return the function that is the attribute `name` of the module that `owner` names."""
        match list(self._reference(owner, source)):
            case [ModuleValue(name=dotted)]:
                return self.member(f"{dotted}.{name}", source)
        return None

    def _of_module(self, module: Module, name: str) -> tuple[Function, str] | None:
        if name in module.functions:
            function = module.functions[name]
            return (function, module.path) if function.plain else None
        found = self._plain(self._resolver.name(name, module.scope, module))
        return found[0] if len(found) == 1 else None

    def _same(self, node: ast.expr, module: Module) -> ast.expr | None:
        """Return the node of the module's own tree that stands where this one does."""
        if module.path not in self._places:
            self._places[module.path] = {
                _place(one): one
                for one in walk(module.tree)
                if isinstance(one, ast.Name | ast.Attribute)
            }
        return self._places[module.path].get(_place(node))

    def finding(
        self,
        source: Source,
        node: ast.expr,
        rule: str,
        message: str,
        function: tuple[Function, str],
        kind: Kind = Kind.UNAWAITED,
    ) -> Finding:
        """Return a finding about a function that is used the wrong way at a node."""
        one, path = function
        what = "an `async def`" if one.colour is Colour.COROUTINE else "a `def`"
        why = f"`{one.name}` is {what}"
        return Finding(
            path=source.path,
            span=source.span(node),
            kind=kind,
            rule=rule,
            message=message,
            engines=OWN,
            definition=Definition(self._root / path, one.line, why),
        )

"""The bug, put into code of others: an `await` before calls that are synchronous without a doubt.

Which calls those are is decided here, by a rule of its own, and not by what is measured: a plain
`def` whose name the project defines once, without a decorator, whose every `return` gives a value
that is written out where it stands, called by its bare name in its own module or by `self` in its
own class.
"""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeGuard

PLAIN = (
    ast.BinOp,
    ast.Compare,
    ast.Constant,
    ast.Dict,
    ast.JoinedStr,
    ast.List,
    ast.ListComp,
    ast.Set,
    ast.Tuple,
)
"""What a `return` may give: no name or call, which could be anything."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Site(NamedTuple):
    """A call of what is synchronous, by the offset of its first byte."""

    path: Path
    line: int
    offset: int


def sites(paths: Iterable[Path]) -> list[Site]:
    """Return the calls in coroutine functions before which an `await` would be wrong."""
    trees: dict[Path, ast.Module] = {}
    for path in paths:
        try:
            trees[path] = ast.parse(path.read_bytes())
        except SyntaxError:
            continue
    names = Counter(
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    bound = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store)
    }
    once = {name for name, count in names.items() if count == 1} - bound
    return [site for path, tree in trees.items() for site in _of_module(path, tree, once)]


def _of_module(path: Path, tree: ast.Module, once: set[str]) -> Iterator[Site]:
    starts = _line_starts(path.read_bytes())
    plain = {node.name for node in tree.body if _is_plain(node)} & once
    for call in _calls(tree):
        if isinstance(call.func, ast.Name) and call.func.id in plain:
            yield Site(path, call.lineno, starts[call.lineno - 1] + call.col_offset)
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            methods = {node.name for node in owner.body if _is_plain(node)} & once
            for call in _calls(owner):
                match call.func:
                    case ast.Attribute(value=ast.Name(id="self"), attr=name) if name in methods:
                        yield Site(path, call.lineno, starts[call.lineno - 1] + call.col_offset)


def _line_starts(data: bytes) -> list[int]:
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _is_plain(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return False
    inside = list(_own(node))
    if any(isinstance(one, ast.Yield | ast.YieldFrom) for one in inside):
        return False
    returns = [one.value for one in inside if isinstance(one, ast.Return)]
    if any(value is not None and not isinstance(value, PLAIN) for value in returns):
        return False
    # What only raises never gives anything that could be awaited.
    return bool(returns) or not isinstance(node.body[-1], ast.Raise)


def _own(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            yield from _own(child)


def _calls(scope: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in coroutine functions that are a statement or the value of an assignment."""
    for function in ast.walk(scope):
        if isinstance(function, ast.AsyncFunctionDef):
            for node in _own(function):
                if isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Call):
                    yield node.value


def choose(found: Iterable[Site], at_most: int, seed: int) -> list[Site]:
    """Return some of the sites, each once, the same ones for the same seed."""
    every = sorted(set(found))
    return sorted(random.Random(seed).sample(every, min(at_most, len(every))))  # noqa: S311


def inject(chosen: Iterable[Site]) -> None:
    """Write an `await` before each of the calls."""
    for site in sorted(chosen, reverse=True):
        data = site.path.read_bytes()
        site.path.write_bytes(data[: site.offset] + b"await " + data[site.offset :])

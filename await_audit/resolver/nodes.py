"""The nodes below a node of a syntax tree.

`ast.walk` and `ast.iter_child_nodes` ask each node for each of its fields, by way of two
generators, and give the contexts and the operators too, a third of all nodes. An audit spends most
of its own time in walking: this takes half as long (measured, Python 3.11).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager

DEEPEST = 500
"""Levels of a syntax tree that is looked at; calls go down it, some for each level."""

CALLS = 10 * DEEPEST
"""Room for these calls. At 20,000 CPython 3.11 may end in its parser, without an exception."""

WITHOUT_NODES = frozenset({"ctx", "op", "ops", "id", "attr", "arg", "kind", "type_comment"})
"""Fields with a context, an operator or a text in them, which an audit does not look for."""


FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
"""The other fields of each kind of node that was met."""


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below a node in their order, without contexts and operators."""
    found: list[ast.AST] = []
    kind = type(node)
    if kind not in FIELDS:
        FIELDS[kind] = tuple(name for name in kind._fields if name not in WITHOUT_NODES)
    for name in FIELDS[kind]:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [one for one in value if isinstance(one, ast.AST)]
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """Return a node and all nodes below it, the outer ones first, as `children` finds them."""
    nodes = [node]
    for one in nodes:
        nodes += children(one)
    return nodes


def parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """Return what is right above each node, the outer ones first.

    Raises RecursionError for a tree of more than `DEEPEST` levels.
    """
    above: dict[ast.AST, ast.AST] = {}
    level = [tree]
    for _ in range(DEEPEST):
        below: list[ast.AST] = []
        for node in level:
            found = children(node)
            above.update(dict.fromkeys(found, node))
            below += found
        if not below:
            return above
        level = below
    raise RecursionError("it is nested too deep")


@contextmanager
def room_for_calls() -> Iterator[None]:
    """Let calls go down a syntax tree."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, CALLS))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)

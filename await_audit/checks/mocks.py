"""An `AsyncMock` in the place of a plain function: it can be awaited, what it hides cannot."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from await_audit.checks.coroutines import Coroutines, Source
from await_audit.finding import Finding, Kind
from await_audit.resolver.colour import Colour, Function
from await_audit.resolver.nodes import walk

RULE = "async-mock-of-sync"
MOCK = "AsyncMock"


def mocks(source: Source, coroutines: Coroutines) -> Iterator[Finding]:
    """Yield each `AsyncMock` that `patch`, `patch.object` or `setattr` puts over a plain function.

    Only where the target is found in the audited files, and is a `def` there without a decorator.
    """
    for call in walk(source.tree):
        if isinstance(call, ast.Call) and _uses_mock(call):
            target = _target(call, source, coroutines)
            if target is not None and target[0].colour is Colour.SYNC:
                message = (
                    f"`{MOCK}` stands for `{target[0].name}`, a plain function: a test with it "
                    "passes although what it tests awaits what cannot be awaited"
                )
                yield coroutines.finding(source, call, RULE, message, target, Kind.AWAIT_SYNC)


def _uses_mock(call: ast.Call) -> bool:
    given = [*call.args, *(one.value for one in call.keywords if one.arg in {"new", None})]
    by_call = any(isinstance(one, ast.Call) and _names_mock(one.func) for one in given)
    return by_call or any(
        one.arg == "new_callable" and _names_mock(one.value) for one in call.keywords
    )


def _names_mock(node: ast.expr) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == MOCK
    return False


def _target(call: ast.Call, source: Source, coroutines: Coroutines) -> tuple[Function, str] | None:
    match call.func, call.args:
        case (
            ast.Name(id="patch") | ast.Attribute(attr="patch" | "setattr"),
            [ast.Constant(value=str() as dotted), *_],
        ):
            return coroutines.member(dotted, source)
        case (
            ast.Attribute(value=ast.Name(id="patch") | ast.Attribute(attr="patch"), attr="object")
            | ast.Attribute(attr="setattr"),
            [owner, ast.Constant(value=str() as name), *_],
        ):
            return coroutines.attribute(owner, name, source)
    return None

"""`asyncio.run` where a loop is running: it raises, and its coroutine is never awaited."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from await_audit.checks.coroutines import Coroutines, Source
from await_audit.finding import Finding
from await_audit.resolver.functions import own_nodes

RULE = "run-in-running-loop"


def nested_runs(source: Source, coroutines: Coroutines) -> Iterator[Finding]:
    """Yield each ``asyncio.run(f())`` that stands in a coroutine function itself.

    One in a nested plain function is none: that may run in a thread.
    """
    for function in source.holding:
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        for node in own_nodes(function):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="asyncio"), attr="run"), args=[made, *_]
                ):
                    called = coroutines.made_by(made, source)
                    if called is not None:
                        message = (
                            f"`asyncio.run` raises where a loop is running, as in "
                            f"`async def {function.name}`: await `{called[0].name}` instead"
                        )
                        yield coroutines.finding(source, node, RULE, message, called)

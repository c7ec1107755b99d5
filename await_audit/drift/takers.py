"""What well-known functions take: an awaitable, a coroutine function, or a plain value."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from await_audit.resolver.colour import Colour
from await_audit.resolver.values import Foreign, FunctionValue

if TYPE_CHECKING:
    from await_audit.resolver.modules import Module
    from await_audit.resolver.resolution import Resolver

METHODS = {
    **dict.fromkeys(
        ("create_task", "ensure_future", "run_until_complete", "run_coroutine_threadsafe"),
        Colour.COROUTINE,
    ),
    "enter_async_context": Colour.ASYNC_CONTEXT,
}
"""Methods by their name alone, whatever they are called on: what each takes."""

FUNCTIONS_OF = {
    "asyncio": dict.fromkeys(
        ("gather", "wait_for", "wait", "shield", "as_completed", "run"), Colour.COROUTINE
    ),
    "contextlib": {"aclosing": Colour.ASYNC_GENERATOR},
    "builtins": {
        **dict.fromkeys(("aiter", "anext"), Colour.ASYNC_GENERATOR),
        **dict.fromkeys(
            (
                *("print", "len", "str", "repr", "int", "float", "bool", "sorted", "sum", "dict"),
                *("enumerate", "zip", "any", "all", "hash", "round", "abs", "bytes", "format"),
                *("open", "reversed", "range", "divmod", "isinstance", "list", "tuple", "set"),
            ),
            Colour.SYNC,
        ),
    },
}
"""Functions by their module: what each takes."""

STARTERS = {
    "start_soon": Colour.COROUTINE,
    **dict.fromkeys(
        (
            *("call_soon", "call_later", "call_at", "call_soon_threadsafe", "run_in_executor"),
            *("add_done_callback", "add_signal_handler"),
        ),
        Colour.SYNC,
    ),
}
"""Methods that take a function and call it: as one of which colour."""

OWNERS = ("loop", "group", "nursery", "future", "task")
"""Words in the names of the objects that have these methods."""

STARTING = {
    **dict.fromkeys(("anyio.run", "trio.run", "asgiref.sync.async_to_sync"), Colour.COROUTINE),
    **dict.fromkeys(
        (
            *("asyncio.to_thread", "asgiref.sync.sync_to_async", "threading.Thread"),
            *("threading.Timer", "builtins.map", "builtins.filter", "atexit.register"),
        ),
        Colour.SYNC,
    ),
}

GROWING = frozenset({"append", "add", "appendleft"})


def called_name(call: ast.Call) -> str:
    """Return the last name of what is called."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return "a function"


def takes(call: ast.Call, module: Module, resolver: Resolver) -> Colour | None:
    """Return what a call does with its arguments, `None` if that is not known."""
    callees = resolver.reference(call.func, module)
    if any(isinstance(one, FunctionValue) for one in callees):
        return None  # the project's own, whatever its name
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        return METHODS[call.func.attr]
    for callee in callees:
        if isinstance(callee, Foreign):
            package, _, name = callee.name.rpartition(".")
            taken = FUNCTIONS_OF.get(package, {}).get(name)
            if taken is None and package == "asyncio":
                taken = METHODS.get(name)
            if taken is not None:
                return taken
    return None


def starts(call: ast.Call, module: Module, resolver: Resolver) -> Colour | None:
    """Return the colour that a call expects of a function given to it, `None` if not known."""
    callees = resolver.reference(call.func, module)
    if any(isinstance(one, FunctionValue) for one in callees):
        return None
    if isinstance(call.func, ast.Attribute) and call.func.attr in STARTERS:
        owner = ast.unparse(call.func.value).lower()
        if any(name in owner for name in OWNERS):
            return STARTERS[call.func.attr]
    for callee in callees:
        if isinstance(callee, Foreign) and callee.name in STARTING:
            return STARTING[callee.name]
    return None


def grows(call: ast.Call) -> bool:
    """Whether a call puts its argument into a collection that a variable holds."""
    match call.func:
        case ast.Attribute(value=ast.Name(), attr=name):
            return name in GROWING
        case _:
            return False

"""Whether an operand can be awaitable after all, so that nobody edits what may be right.

A type checker judges by declarations. A subclass may override a method with another colour, a
decorator may change it, a name may be bound anew while the program runs: of these a finding says
that it is wrong by its declarations, and is not certain.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from await_audit.engines.diagnostic import Symptom
from await_audit.engines.written_types import OPEN, class_name, is_one_class, is_value, members
from await_audit.judging.callee import Callee, Defined
from await_audit.judging.flags import Flag
from await_audit.judging.names import Names
from await_audit.resolver.functions import own_nodes


def is_open(flag: Flag, names: Names) -> bool:
    """Say whether the type of the operand leaves open that it is awaitable: then it is no finding.

    So it is with a union that has a member of which nobody complained, and with a type variable.
    """
    parts = members(flag.whole) if flag.whole else []
    named = {class_name(part) for part in parts or flag.types}
    if named & OPEN or named & names.type_variables:
        return True
    if flag.symptom is Symptom.NOT_COROUTINE_ARGUMENT:
        return len(parts) > 1 and not all(is_value(part) for part in parts)
    return bool(set(parts) - flag.types)


def rests_on_abstract(found: Defined | None, names: Names) -> bool:
    """Say whether the type of the operand comes from the body of an abstract method.

    Without an annotation a type checker takes what the body returns, which is there only to be
    overridden: what the methods of the derived classes give, nobody has said.
    """
    if found is None or not isinstance(found.node, ast.FunctionDef) or found.node.returns:
        return False
    if found.node.name in names.abstract and "abstractmethod" in " ".join(found.decorators):
        return True
    return any(
        node.value.func.attr in names.abstract
        for node in own_nodes(found.node)
        if isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
    )


def is_certain(
    flag: Flag, callee: Callee | None, found: Defined | None, names: Names, misused: Iterable[Flag]
) -> bool:
    """Say whether the operand cannot be awaitable, whatever the program does elsewhere.

    `found` is the definition of `callee`; `misused` are the coroutines that the audit saw used as
    values: a function that returns one under another type is not what it says.
    """
    if callee is None or callee.name is None or not callee.called:
        return False
    if flag.whole is None and not flag.inferred:
        return False
    near = {flag.path} | ({found.path} if found else set())
    for part in members(flag.whole) if flag.whole else ():
        name = class_name(part) or ""
        if not is_one_class(part) or (not is_value(part) and names.may_have_await(name, near)):
            return False
    return found is not None and is_plain(flag, callee.name, found, names, misused)


def is_plain(flag: Flag, name: str, found: Defined, names: Names, misused: Iterable[Flag]) -> bool:
    """Say whether a call by `name` runs this very definition, and that decides its colour."""
    if found.rebound:
        return False
    if isinstance(found.node, ast.ClassDef):
        return class_name(flag.whole or "") == found.node.name
    if isinstance(found.node, ast.AsyncFunctionDef) or found.yields or found.is_property:
        return False
    if not found.keeps_colour and len(flag.engines) < 2:
        return False
    owner = found.owner.name if found.owner else None
    if names.is_replaced(name, found.path, owner):
        return False
    if owner is not None and names.has_two_colours((found.path, owner), found.node.name):
        return False
    return not any(_inside(one, found) for one in misused)


def _inside(flag: Flag, found: Defined) -> bool:
    end = found.node.end_lineno or found.node.lineno
    return flag.path == found.path and found.node.lineno <= flag.span.line <= end

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
from await_audit.judging.expected import Handlers
from await_audit.judging.flags import Flag
from await_audit.judging.names import Names
from await_audit.judging.project import Project
from await_audit.judging.proof import Prover
from await_audit.resolver.functions import FUNCTIONS, own_nodes
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk


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


class Certainty:
    """Which findings leave no doubt, by the text of the whole project."""

    def __init__(self, project: Project, names: Names, misused: Iterable[Flag]) -> None:
        """`misused` are the coroutines that the audit saw used as values: a function that returns
        one under another type is not what it says.
        """
        self._project, self._names, self._misused = project, names, tuple(misused)
        self._prover, self._handlers = Prover(project, names), Handlers(project, names)
        names.await_is_set = any(
            one.owner is None and not isinstance(one.node, FUNCTIONS)
            for one in project.others("__await__")
        )

    def is_proved(self, flag: Flag, callee: Callee | None, found: Defined | None) -> bool:
        """Say whether the operand cannot be awaitable; `found` is the definition of `callee`."""
        if callee is None or callee.name is None or not callee.called or found is None:
            return False
        if flag.whole is None and not flag.inferred:
            return False
        near = {self._project.mirror.outside(path) for path in (flag.path, found.path)}
        for part in members(flag.whole) if flag.whole else ():
            name = class_name(part) or ""
            if not is_one_class(part):
                return False
            if not is_value(part) and self._names.may_have_await(name, near):
                return False
        module, call = self._place(flag, callee)
        if module is None or call is None or found.rebound:
            return False
        if any(_inside(one, found) for one in self._misused):
            return False
        return self._prover.proves(flag, call, module, found)

    def is_certain(self, flag: Flag, callee: Callee | None, found: Defined | None) -> bool:
        """Say whether that is proved, and nobody expects the failure."""
        if not self.is_proved(flag, callee, found) or callee is None:
            return False
        module, call = self._place(flag, callee)
        if module is None or call is None:
            return False
        return not self._handlers.expect(call, module)

    def _place(self, flag: Flag, callee: Callee) -> tuple[Module | None, ast.Call | None]:
        """Return the module and the call of an operand.

        The call is looked for by its text in the statement: up to Python 3.11 `ast` gives wrong
        places inside f-strings.
        """
        module = self._project.module(flag.path)
        if module is None:
            return None, None
        line = flag.operand.line
        around = [
            one
            for one in walk(module.tree)
            if isinstance(one, ast.stmt) and one.lineno <= line <= (one.end_lineno or one.lineno)
        ]
        written = ast.unparse(callee.node)
        for statement in sorted(around, key=lambda one: (one.end_lineno or 0) - one.lineno):
            for one in walk(statement):
                if isinstance(one, ast.Call) and ast.unparse(one) == written:
                    return module, one
        return module, None


def _inside(flag: Flag, found: Defined) -> bool:
    end = found.node.end_lineno or found.node.lineno
    return flag.path == found.path and found.node.lineno <= flag.span.line <= end

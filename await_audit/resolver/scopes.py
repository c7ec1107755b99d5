"""Which names each scope of a module binds, and to what."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from await_audit.resolver.colour import FunctionNode
from await_audit.resolver.functions import own_nodes

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Imported:
    """A name bound by an import; without a `name` it stands for the module itself."""

    module: str
    level: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Defined:
    """A name bound by `def` or `class`."""

    node: FunctionNode | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Assigned:
    """A name bound to the value of an expression, or one of a declared type."""

    value: ast.expr | None
    annotation: ast.expr | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """A name bound by `with … as`, or `async with … as`."""

    context: ast.expr
    method: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A name bound by a call; `is_first` says that an instance or a class may be passed there."""

    annotation: ast.expr | None
    function: FunctionNode | ast.Lambda
    is_first: bool


@dataclass(frozen=True, slots=True)
class Opaque:
    """A name bound in any other way: by a loop, an unpacking, a pattern, `del`."""


Binding = Imported | Defined | Assigned | Entered | Parameter | Opaque


@dataclass(eq=False, slots=True)
class Scope:
    """A module, class, function, lambda or comprehension and the names that it binds."""

    node: ast.AST
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[Imported] = field(default_factory=list)
    elsewhere: dict[str, bool] = field(default_factory=dict)
    """Names declared `global` (true) or `nonlocal` (false)."""

    def bind(self, name: str, binding: Binding) -> None:
        """Bind a name, where a declaration says so in another scope."""
        target = self
        if name in self.elsewhere:
            target = self.top() if self.elsewhere[name] else self._outer(name)
        target.bindings.setdefault(name, []).append(binding)

    def _outer(self, name: str) -> Scope:
        """Return the function's scope that a `nonlocal` name belongs to."""
        scope = self.parent
        while scope is not None and scope.parent is not None:
            if name in scope.bindings and not isinstance(scope.node, ast.ClassDef):
                return scope
            scope = scope.parent
        return self.parent or self  # it is bound further down

    def top(self) -> Scope:
        """Return the module's scope."""
        return self.parent.top() if self.parent else self

    def owner(self, name: str) -> Scope | None:
        """Return the scope that a name read here belongs to, `None` if no scope binds it."""
        scope: Scope | None = self.top() if self.elsewhere.get(name) else self
        first = True
        while scope is not None:
            if name in scope.bindings and (first or not isinstance(scope.node, ast.ClassDef)):
                return scope
            first = first and isinstance(scope.node, COMPREHENSIONS)
            scope = scope.parent
        return None


def scopes(tree: ast.Module) -> dict[ast.AST, Scope]:
    """Return the scopes of a module by the nodes that open them."""
    binder = _Binder(tree)
    for node in tree.body:
        binder.visit(node)
    return binder.scopes


class _Binder(ast.NodeVisitor):
    def __init__(self, tree: ast.Module) -> None:
        self._scope = Scope(tree, None)
        self.scopes: dict[ast.AST, Scope] = {tree: self._scope}

    def _inside(self, node: ast.AST, *parts: ast.AST) -> None:
        outer = self._scope
        self._scope = self.scopes[node]
        for part in parts:
            self.visit(part)
        self._scope = outer

    def _open(self, node: ast.AST) -> Scope:
        scope = self.scopes[node] = Scope(node, self._scope)
        return scope

    def _function(self, node: FunctionNode) -> None:
        self._scope.bind(node.name, Defined(node))
        for outside in (*node.decorator_list, *_defaults(node.args)):
            self.visit(outside)
        self._open(node)
        self._parameters(node)
        for one in own_nodes(node):  # a declaration holds for the lines before it as well
            if isinstance(one, ast.Global | ast.Nonlocal):
                for name in one.names:
                    self.scopes[node].elsewhere[name] = isinstance(one, ast.Global)
        self._inside(node, *node.body)

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in _defaults(node.args):
            self.visit(default)
        self._open(node)
        self._parameters(node)
        self._inside(node, node.body)

    def _parameters(self, node: FunctionNode | ast.Lambda) -> None:
        scope, arguments = self.scopes[node], node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        for number, one in enumerate([*positional, *arguments.kwonlyargs]):
            is_first = number == 0 and bool(positional)
            scope.bind(one.arg, Parameter(one.annotation, node, is_first))
        for extra in (arguments.vararg, arguments.kwarg):
            if extra is not None:
                scope.bind(extra.arg, Opaque())

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.bind(node.name, Defined(node))
        for outside in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outside)
        self._open(node)
        self._inside(node, *node.body)

    def _comprehension(self, node: ast.AST) -> None:
        self._open(node)
        self._inside(node, *ast.iter_child_nodes(node))

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self._scope.bind(alias.asname, Imported(alias.name, 0))
            else:
                top = alias.name.partition(".")[0]
                self._scope.bind(top, Imported(top, 0))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            imported = Imported(node.module or "", node.level, alias.name)
            if alias.name == "*":
                self._scope.stars.append(imported)
            else:
                self._scope.bind(alias.asname or alias.name, imported)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._scope.bind(target.id, Assigned(node.value))
            else:
                self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self._scope.bind(node.target.id, Assigned(node.value, node.annotation))
        else:
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        scope = self._scope
        while isinstance(scope.node, COMPREHENSIONS) and scope.parent is not None:
            scope = scope.parent
        scope.bind(node.target.id, Assigned(node.value))

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        method = "__enter__" if isinstance(node, ast.With) else "__aenter__"
        for item in node.items:
            self.visit(item.context_expr)
            if isinstance(item.optional_vars, ast.Name):
                entered = Entered(item.context_expr, method)
                self._scope.bind(item.optional_vars.id, entered)
            elif item.optional_vars is not None:
                self.visit(item.optional_vars)
        for statement in node.body:
            self.visit(statement)

    visit_With = visit_AsyncWith = _with

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._scope.bind(node.id, Opaque())

    def _named(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar) -> None:
        if node.name is not None:
            self._scope.bind(node.name, Opaque())
        self.generic_visit(node)

    visit_ExceptHandler = visit_MatchAs = visit_MatchStar = _named

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest is not None:
            self._scope.bind(node.rest, Opaque())
        self.generic_visit(node)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]

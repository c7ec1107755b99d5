"""Attributes and globals whose names a program computes: `setattr`, namespaces, `exec`.

Such a place is known by what it sets them on, and by what its text tells of the names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from await_audit.judging.names import Names
from await_audit.judging.patterns import ANY, Patterns, function_of
from await_audit.judging.plain_values import BUILT_IN
from await_audit.judging.project import HARMLESS, IMPORT, Project, last_name, owner_of
from await_audit.judging.targets import Target
from await_audit.resolver.classes import lineage
from await_audit.resolver.functions import FUNCTIONS, own_nodes
from await_audit.resolver.modules import Module
from await_audit.resolver.nodes import walk
from await_audit.resolver.scopes import Assigned, Imported
from await_audit.resolver.values import (
    ClassValue,
    Foreign,
    FunctionValue,
    Instance,
    ModuleValue,
    Value,
)

COMPUTED = re.compile(
    r"setattr|__dict__|\b(?:globals|vars|locals)\(|__(?:class|code|bases|getattribute)__"
    r"|sys\.modules|\bexec\b|\bmock\b|\btype\([^,()]*(?:\([^()]*\))?[^,()]*,|new_class|make_dataclass"
)
SETTERS = frozenset({"setattr", "__setattr__", "exec"})
SPACES = frozenset({"globals", "vars", "locals"})
CHANGING = frozenset({"update", "setdefault", "__setitem__", "exec", "setattr"})

ENUMERATES = re.compile(
    r"\b(?:dir|getmembers)\(|__name__(?! ==)"
    r"|(?:\bvars\([^()]*\)|\.__dict__|\bglobals\(\))(?:\.items|\.keys|\)|:| if)"
)
"""What gives names that stand nowhere in quotes."""
JOINED = [re.compile(rf"[\"']\s*[{between}]\s*[\"']") for between in ("+", "+,")]
"""What stands between two parts of one text, or of a list that is joined to one."""
DOT = re.escape(".")
REACHES_MODULES = re.compile(
    r"sys\.modules|import_module|__import__|__main__ *import|import +__main__"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place that sets something by a computed name.

    `held` is what has the attribute, None if that may be anything. `name` gives the name, None if
    that may be any; `here` says that the place sets globals of its own module.
    """

    module: Module
    node: ast.AST
    held: ast.expr | None = None
    name: ast.expr | None = None
    here: bool = False


class Computed:
    """Says whether computed names may be that of something."""

    def __init__(
        self, project: Project, names: Names, connects: Callable[[Path, Target], bool]
    ) -> None:
        """`connects` says whether what stands in a file may come to where a target is called."""
        self._project, self._names, self._connects = project, names, connects
        self._places: list[Place] | None = None
        self._patterns = Patterns(project)
        self._handed: dict[Path, bool] = {}

    def may_set(self, name: str, target: Target) -> bool:
        """Say whether some place may set what a target has, or is, under a name."""
        if self._places is None:
            self._places = [
                place
                for path, text in self._project.texts.items()
                if COMPUTED.search(text) and (module := self._project.module(path))
                for one in walk(module.tree)
                if (place := self._place(one, module)) and not _is_in_descriptor(place)
            ]
        return any(
            self._reaches(place, target) and self._may_be(place, name) for place in self._places
        )

    def _reaches(self, place: Place, target: Target) -> bool:
        path, owning = Path(place.module.path), target.owning
        if place.here:
            return owning is None and path == target.path
        if place.held is None:
            return self._connects(path, target)
        for value in self._project.resolver.value(place.held, place.module):
            match value:
                case ClassValue() | Instance() if not self._is_metaclass(value):
                    one = (Path(value.path), value.qualname.rpartition(".")[2])
                    if owning and (one in self._names.dynamic or self._names.meet(one, owning)):
                        return True
                case ModuleValue(name=name):
                    files = self._project.tree.every(name) or [f"{name}.pyi"]
                    if owning is None and any(str(target.path).endswith(one) for one in files):
                        return True
                case Foreign():
                    continue
                case _ if owning or self._is_held(target.path, path):
                    if self._connects(path, target):
                        return True
        return False

    def _is_metaclass(self, value: ClassValue | Instance) -> bool:
        """Say whether an instance of a class may be any class."""
        bases = lineage(self._project.resolver, ClassValue(value.path, value.qualname))
        classes = [(one, self._project.tree.module(one.path)) for one in bases if one]
        return any(
            last_name(base) in {"type", "ABCMeta", "EnumMeta", "EnumType"}
            for one, module in classes
            if module
            for base in module.classes[one.qualname].bases
        )

    def _is_held(self, path: Path, by: Path) -> bool:
        """Say whether a module may be an object that comes to a file."""
        texts = self._project.texts
        if any(REACHES_MODULES.search(texts[one]) for one in (path, by) if one in texts):
            return True
        if path not in texts:
            return False
        if path not in self._handed:
            stem = path.parent.name if path.stem == "__init__" else path.stem
            self._handed[path] = any(
                _hands_on(texts[one], stem) for one in self._project.importers(path)
            )
        return self._handed[path]

    def _may_be(self, place: Place, name: str) -> bool:
        """Say whether the computed name of a place may be this one."""
        if place.name is None:
            return True
        pattern = self._patterns.of(place.name, place.module)
        if pattern != ANY:
            return _matches(pattern, name)
        if any(ENUMERATES.search(text) for text in self._around(place)):
            return True
        said = re.compile(rf"[\"'][^\"'\n]*\b{re.escape(name)}\b|\b{re.escape(name)}\s*=(?!=)")
        texts = (one.sub("", text) for text in self._sources(place) for one in JOINED)
        return any(map(said.search, texts))

    def _sources(self, place: Place) -> Iterator[str]:
        """Yield the texts of the files that a computed name may come from: the place's own, those
        whose variables it imports, and those that name the function or the class around it, if
        these are given something for it.
        """
        module, texts = place.module, self._project.texts
        yield texts[Path(module.path)]
        for one in module.above(place.node) if _is_given(place) else ():
            name = one.name if isinstance(one, (*FUNCTIONS, ast.ClassDef)) else "__"
            for path in self._project.files_with(name) if not name.startswith("__") else ():
                yield texts[path]
        for name in module.scope.bindings:
            for value, other in self._project.assigned(name, module.scope, module):
                if value and other is not module:
                    yield texts[Path(other.path)]

    def _around(self, place: Place) -> Iterator[str]:
        """Yield the texts that a computed name comes from: those of the function around it, and of
        the functions that give that one something for it.
        """
        function = function_of(place.node, place.module)
        yield ast.unparse(function)
        if _is_given(place):
            for use, module in self._patterns.uses(function):
                yield ast.unparse(function_of(use, module))

    def _place(self, node: ast.AST, module: Module) -> Place | None:
        match node:
            case ast.Call(func=ast.Name(id=function)) if function in SPACES:
                held = node.args[0] if node.args else None
                if self._is_handed_on(node, module):
                    return Place(module, node, held, self._name_of(node, module), held is None)
            case ast.Call():
                return _of_call(node, module)
            case ast.Subscript(ctx=ast.Store(), value=space, slice=name):
                if "sys.modules" in ast.unparse(space):
                    return Place(module, node)
                if not isinstance(name, ast.Constant) and (found := _held(space)):
                    return Place(module, node, found[0], name, found[0] is None)
            case ast.Attribute(attr="__class__" | "__code__" | "__bases__", ctx=ast.Store()):
                return Place(module, node, None if node.attr == "__code__" else node.value)
            case ast.Attribute(attr="__dict__"):
                if isinstance(node.ctx, ast.Store) or self._is_handed_on(node, module):
                    return Place(module, node, node.value, self._name_of(node, module))
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in SETTERS:
                return None if _is_used_plainly(node, module) else Place(module, node)
            case ast.FunctionDef(name="__getattribute__", args=ast.arguments(args=[first, *_])):
                if owner_of(node, module) and not only_looks_up(node):
                    one = _in_place(ast.Name(first.arg, ast.Load()), node, module)
                    return Place(module, node, one)
        return None

    def _name_of(self, space: ast.expr, module: Module) -> ast.expr | None:
        """Return what the names in a namespace are computed from, None if that may be anything:
        source text is run in it, or it gives its own names.
        """
        user = _user(space, module)
        if isinstance(user, ast.Assign):
            names = set(map(last_name, user.targets))
            inside = walk(function_of(space, module))
            return None if any(_iterated(one) & names for one in inside) else space
        runs = isinstance(user, ast.Call) and any(
            value == Foreign("builtins.exec") or any(map(_is_exec, self._body(value)))
            for one in (user.func, *user.args)
            for value in self._project.resolver.reference(one, module)
        )
        return None if runs else space

    def _body(self, value: Value) -> Iterator[ast.AST]:
        function = self._project.resolver.function(value)
        return own_nodes(function.node) if function else iter(())

    def _is_handed_on(self, node: ast.AST, module: Module) -> bool:
        """Say whether a namespace gets a name, or goes to a function that may change it."""
        match _user(node, module):
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is node:
                return any(_is_change(one, name) for one in walk(function_of(node, module)))
            case ast.Assign(value=value):
                return value is node
            case ast.Return():
                return True
            case ast.Call(func=function, args=arguments) if function is not node:
                takers = [function, *(one for one in arguments if isinstance(one, ast.Name))]
                return any(self._changes(one, module) for one in takers)
            case _:
                return False

    def _changes(self, taker: ast.expr, module: Module) -> bool:
        """Say whether what a namespace is given to may put something in it."""
        for value in self._project.resolver.reference(taker, module):
            match value:
                case FunctionValue():
                    if self._project.resolver.function(value) is None:
                        return True
                    if any(map(_is_change, self._body(value))):
                        return True
                case Foreign(name=dotted):
                    last = dotted.rpartition(".")[2]
                    if last in {"exec", "type", "new_class"} or "mock" in dotted:
                        return True
                case _:
                    called = module.parents.get(taker)
                    if isinstance(called, ast.Call) and called.func is taker:
                        return last_name(taker) not in BUILT_IN | HARMLESS
        return False


def _matches(pattern: str, name: str) -> bool:
    """Say whether what a pattern matches is a name, or a dotted one that ends in it."""
    try:
        return re.fullmatch(pattern.rpartition(DOT)[2], name) is not None
    except re.error:  # there is a dot in one of several texts
        return True


def _is_given(place: Place) -> bool:
    """Say whether a parameter of the function around a place has to do with it."""
    spec: ast.arguments | None = getattr(function_of(place.node, place.module), "args", None)
    arguments = (one for one in walk(spec) if isinstance(one, ast.arg)) if spec else ()
    given = {one.arg for one in arguments} - {"self", "cls"}
    return any(isinstance(one, ast.Name) and one.id in given for one in walk(place.node))


def _is_in_descriptor(place: Place) -> bool:
    """Say whether a descriptor keeps what it gives: its name is known by what it decorates."""
    function = function_of(place.node, place.module)
    return isinstance(function, FUNCTIONS) and function.name in {"__get__", "__set__"}


def _of_call(call: ast.Call, module: Module) -> Place | None:
    """Return the place of a call that sets attributes whose names are not written out."""
    given, name = [*call.args], _setter_name(call.func, module)
    match name:
        case "exec" if isinstance(call.func, ast.Name) and len(given) < 2:
            return Place(module, call, here=True)
        case "setattr" if len(given) > 1:
            return _unless_written(Place(module, call, given[0], given[1]))
        case "__setattr__" if isinstance(call.func, ast.Attribute):
            on: ast.expr | None = call.func.value
            if isinstance(on, ast.Call) and last_name(on.func) == "super":
                on = _receiver(call, module)
            elif len(given) > 2:
                on, *given = given
            return _unless_written(Place(module, call, on, given[0] if given else None))
        case "type" | "new_class" | "make_dataclass":
            named = [one.value for one in call.keywords if one.arg in {"namespace", "exec_body"}]
            spaces = [*(given[2:] if name != "make_dataclass" else []), *named]
            if any(not isinstance(one, ast.Dict) for one in spaces):
                return Place(module, call)
        case "update" | "setdefault" if isinstance(call.func, ast.Attribute):
            held = _held(call.func.value)
            if held and (given or any(one.arg is None for one in call.keywords)):
                return Place(module, call, held[0], call, held[0] is None)
        case "object" | "patch" if _is_patch(call, module):
            named = given[name == "object" :][:1]
            return _unless_written(Place(module, call, name=named[0] if named else None))
    return None


def _is_used_plainly(setter: ast.expr, module: Module) -> bool:
    """Say whether a setter is called where it stands, or gets a second name."""
    match module.parents.get(setter):
        case ast.Call(func=function) if function is setter:
            return True
        case ast.Attribute():
            return True
        case ast.Assign(targets=[ast.Name()]):
            return True  # it is known by that name, too
        case _:
            return False


def _setter_name(function: ast.expr, module: Module) -> str:
    """Return the name of a called function, `setattr` for a second name of a setter."""
    if isinstance(function, ast.Name):
        owner = module.scope_of(function).owner(function.id)
        bound = owner.bindings[function.id] if owner else ()
        values = [one.value for one in bound if isinstance(one, Assigned) and one.value]
        if any(last_name(one) in SETTERS for one in values):
            return "setattr"
    return last_name(function)


def _receiver(call: ast.Call, module: Module) -> ast.expr | None:
    """Return the object whose method a call stands in."""
    function = function_of(call, module)
    if not isinstance(function, FUNCTIONS):
        return None
    arguments = [*function.args.posonlyargs, *function.args.args]
    if not arguments:
        return None
    return _in_place(ast.Name(arguments[0].arg, ast.Load()), call, module)


def _user(node: ast.AST, module: Module) -> ast.AST | None:
    """Return what uses an expression: an assignment, a call, a `return`."""
    parent = module.parents.get(node)
    return module.parents.get(parent) if isinstance(parent, ast.keyword) else parent


def _is_exec(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) == "exec"


def _hands_on(text: str, module: str) -> bool:
    """Say whether a text has a module's name where it is a value."""
    names = "|".join([module, *re.findall(rf"\b{module}[ \t]+as[ \t]+(\w+)", text)])
    return (
        re.search(rf"[(,=\[][ \t]*(?:\w+\.)*(?:{names})[ \t]*[,)\]\n]", IMPORT.sub("", text))
        is not None
    )


def _unless_written(place: Place) -> Place | None:
    """Leave out a place whose name is written out: that is none that is computed."""
    written = isinstance(place.name, ast.Constant) and place.name.value != "__class__"
    return None if written else place


def _held(space: ast.expr) -> tuple[ast.expr | None] | None:
    """Return whose namespace an expression is, and None in it for the module's own."""
    match space:
        case ast.Attribute(value=held, attr="__dict__"):
            return (held,)
        case ast.Call(func=ast.Name(id=function)) if function in SPACES:
            return (space.args[0] if space.args else None,)
        case _:
            return None


def _in_place(node: ast.expr, at: ast.AST, module: Module) -> ast.expr:
    """Let an expression be one that stands in the body of a function."""
    module.parents[node] = at if isinstance(at, FUNCTIONS) else module.parents[at]
    return node


def _is_patch(call: ast.Call, module: Module) -> bool:
    """Say whether a call is one of `unittest.mock.patch` or `patch.object`."""
    written = ast.unparse(call.func).removesuffix(".object")
    bound = module.scope.bindings.get(written.partition(".")[0], ())
    return written.rpartition(".")[2] == "patch" and any(
        isinstance(one, Imported) and "mock" in f"{one.module}.{one.name}" for one in bound
    )


def _iterated(node: ast.AST) -> set[str]:
    """Return the name whose keys a loop goes through."""
    match node:
        case ast.For(iter=over) | ast.comprehension(iter=over):
            match over:
                case ast.Name(id=name) | ast.Call(args=[ast.Name(id=name)]):
                    return {name}
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="items" | "keys")):
                    return {name}
    return set()


def only_looks_up(method: ast.AST) -> bool:
    """Say whether `__getattr__` or `__getattribute__` finds what there is, or makes an object."""
    inside = list(own_nodes(method))
    made = {
        last_name(target)
        for one in inside
        if isinstance(one, ast.Assign) and not _is_found(one.value, set())
        for target in one.targets
    }
    return not any(isinstance(one, (*FUNCTIONS, ast.Lambda)) for one in inside) and all(
        one.value is None or _is_found(one.value, made)
        for one in inside
        if isinstance(one, ast.Return)
    )


def _is_found(node: ast.expr, made: set[str]) -> bool:
    match node:
        case ast.Call(func=function):
            name = last_name(function)
            return name[:1].isupper() or name in {"getattr", "__getattribute__", "__getattr__"}
        case ast.Name(id=name):
            return name not in made
        case ast.BinOp(left=left, right=right):
            return _is_found(left, made) and _is_found(right, made)
        case _:
            return isinstance(node, ast.Constant)


def _is_change(node: ast.AST, name: str | None = None) -> bool:
    """Say whether something is changed, or what has a name is, or goes elsewhere."""
    match node:
        case ast.Subscript(ctx=ast.Store(), value=held):
            written = isinstance(node.slice, ast.Constant)
            return name is None or (last_name(held) == name and not written)
        case ast.Call(func=function):
            given = any(isinstance(one, ast.Name) and one.id == name for one in node.args)
            if given and last_name(function) not in BUILT_IN | HARMLESS:
                return True
            held = function.value if isinstance(function, ast.Attribute) else function
            return last_name(function) in CHANGING and (name is None or last_name(held) == name)
        case ast.Return(value=ast.Name(id=given)):
            return given == name
        case _:
            return False

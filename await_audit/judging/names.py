"""What the audited files say of a name: its class hierarchy, its colours, what replaces it.

Classes are read by pattern and not by parsing: half a million lines take one second so, and ten the
other way. A class is known by its file and its name. A base is looked for in the file itself, then
in the files whose name is that of the module it is imported from, then in all files: where that
relates too many classes, an audit is only more careful.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Each pattern begins with a fixed word: to look for that is ten times as fast as to try a name at
# every letter of half a million lines.
CLASS = re.compile(
    r"class[ \t]+(?P<name>\w+)\s*(?:\[[^\]]*\])?\s*"
    r"(?:\((?P<bases>[^()]*(?:\([^()]*\)[^()]*)*)\))?\s*:"
)
BASE = re.compile(r"(?:^|,)\s*(?:\w+\.)*(\w+)\s*(?=[,\[]|$)")
TYPE_VARIABLE = re.compile(r"TypeVar\(\s*[\"'](\w+)[\"']")
PARAMETERS = (
    re.compile(r"class[ \t]+\w+\[([^\]]*)\]"),
    re.compile(r"def[ \t]+\w+\[([^\]]*)\]"),
)
IMPORT = re.compile(r"from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n]*)")
ABSTRACT = re.compile(
    r"abstractmethod[ \t]*\n(?:[ \t]*@[^\n]*\n)*[ \t]*def[ \t]+(\w+)"
    r"\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*:"
)
BRACKETS = re.compile(r"\[[^\[\]]*\]")
SUBJECT = re.compile(r"\w+$")

Class = tuple[Path, str]
"""A class by its file and its name."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Something is assigned to an attribute, other than a mock: where, and of what name."""

    path: Path
    subject: str


@dataclass(slots=True)
class Names:
    """What a set of files says of the `wanted` names."""

    wanted: set[str]
    texts: dict[Path, str] = field(default_factory=dict)
    """The text of the files that replace something; the others are not kept."""
    coloured: dict[Path, str] = field(default_factory=dict)
    """The text of the files that `read_methods` is to parse."""
    bases: dict[Class, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_name: dict[str, set[Class]] = field(default_factory=lambda: defaultdict(set))
    imports: dict[Path, dict[str, str]] = field(default_factory=dict)
    """The last part of the module that a file imports a name from."""
    type_variables: set[str] = field(default_factory=set)
    asynchronous: dict[str, set[Class]] = field(default_factory=lambda: defaultdict(set))
    """The classes that define a method with `async def`, by the name of the method."""
    awaitable: set[Class] = field(default_factory=set)
    """The classes that define `__await__`."""
    abstract: set[str] = field(default_factory=set)
    """The methods whose abstract definition does not say what they return."""
    replaced: dict[str, set[Replacement]] = field(default_factory=lambda: defaultdict(set))
    neighbours: dict[Class, set[Class]] = field(default_factory=lambda: defaultdict(set))
    """The bases and the derived classes of each class, once they are asked for."""

    def related(self, one: Class) -> set[Class]:
        """Return the classes that share a hierarchy with this one, itself included.

        Bases that the files do not define connect nothing: `Exception` would relate everything.
        """
        if not self.neighbours:
            for derived, bases in self.bases.items():
                for parent in (
                    known for base in bases for known in self._candidates(derived, base)
                ):
                    self.neighbours[derived].add(parent)
                    self.neighbours[parent].add(derived)
        found, todo = {one}, [one]
        while todo:
            new = self.neighbours.get(todo.pop(), set()) - found
            found |= new
            todo.extend(new)
        return found

    def _candidates(self, derived: Class, base: str) -> set[Class]:
        if (derived[0], base) in self.by_name.get(base, ()):
            return {(derived[0], base)}
        all_of_name = self.by_name.get(base, set())
        module = self.imports.get(derived[0], {}).get(base)
        named = {one for one in all_of_name if module in {one[0].stem, one[0].parent.name}}
        beside = {one for one in named if one[0].parent == derived[0].parent}
        return beside or named or all_of_name

    def is_protocol(self, one: Class) -> bool:
        """Say whether classes fit this one without deriving from it."""
        return "Protocol" in self.bases.get(one, ())

    def has_two_colours(self, owner: Class, method: str) -> bool:
        """Say whether a class related to `owner` defines `method` with `async def`."""
        owners = self.asynchronous.get(method, set())
        return bool(owners) and (self.is_protocol(owner) or bool(owners & self.related(owner)))

    def is_replaced(self, function: str, path: Path, owner: str | None) -> bool:
        """Say whether something else is put in the place of a function or method of `path`."""
        if function not in self.replaced:
            return False
        related = {(path, path.stem)} if owner is None else self.related((path, owner))
        words = {name for _, name in related}
        for one in self.replaced[function]:
            if owner is None and one.subject in {"self", "cls"}:
                continue
            named = re.search(rf"\b(?:{'|'.join(map(re.escape, words))})\b", self.texts[one.path])
            if named or one.path == path:
                return True
        return False

    def may_have_await(self, name: str, paths: Iterable[Path]) -> bool:
        """Say whether an instance of a class can be awaited; it is in `paths`, or anywhere."""
        near = {(path, name) for path in paths} & self.by_name.get(name, set())
        for one in near or self.by_name.get(name, set()):
            if self.is_protocol(one) or (self.awaitable and self.awaitable & self.related(one)):
                return True
        return False


def search_names(texts: Iterable[tuple[Path, str]], wanted: Iterable[str]) -> Names:
    """Gather the classes of all texts, and what they do to the `wanted` names of functions.

    Nothing is parsed, so any thread may do this; `read_methods` has the rest.
    """
    names = Names(set(wanted))
    any_of = "|".join(re.escape(name) for name in sorted(names.wanted)) or r"(?!)"
    coloured = re.compile(rf"async\s+def\s+(?:{any_of})\b")
    assigned = re.compile(
        rf"\.(?P<name>{any_of})\s*(?::[^=\n]*)?=(?!=)"
        r"(?!\s*(?:\w+\.)*(?:Async|Magic|NonCallable)*Mock\b)"
    )
    setting = re.compile(rf"setattr\(\s*(?P<of>[^,]+?)\s*,\s*[\"'](?P<name>{any_of})[\"']")
    for path, text in texts:
        _read_classes(path, text, names)
        names.abstract.update(ABSTRACT.findall(text))
        names.type_variables.update(TYPE_VARIABLE.findall(text))
        for parameters in (found for pattern in PARAMETERS for found in pattern.findall(text)):
            names.type_variables.update(re.findall(r"(?:^|,)\s*\**(\w+)", parameters))
        for match in assigned.finditer(text):
            before = SUBJECT.search(text, max(0, match.start() - 80), match.start())
            names.replaced[match["name"]].add(Replacement(path, before[0] if before else ""))
            names.texts[path] = text
        for match in setting.finditer(text):
            if text[match.start() - 1 : match.start()] != ".":  # not that of a test's monkeypatch
                names.replaced[match["name"]].add(Replacement(path, match["of"]))
                names.texts[path] = text
        if "__await__" in text or coloured.search(text):
            names.coloured[path] = text
    return names


def read_methods(names: Names) -> Names:
    """Parse the files that may define a method in another colour, and return the same names."""
    for path, text in names.coloured.items():
        _read_methods(path, text, names)
    names.coloured.clear()
    return names


def _read_classes(path: Path, text: str, names: Names) -> None:
    for match in CLASS.finditer(text):
        one = (path, match["name"])
        names.by_name[match["name"]].add(one)
        plain = BRACKETS.sub("", BRACKETS.sub("", match["bases"] or ""))
        names.bases[one].update(BASE.findall(plain))
    if "class " in text:
        names.imports[path] = {
            name: match["module"].rpartition(".")[2]
            for match in IMPORT.finditer(text)
            for name in re.findall(r"\w+", match["names"])
        }


def _read_methods(path: Path, text: str, names: Names) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for inner in node.body:
            for method in ast.walk(inner) if isinstance(inner, ast.If | ast.Try) else (inner,):
                _read_method((path, node.name), method, names)


def _read_method(owner: Class, method: ast.AST, names: Names) -> None:
    defined: set[str] = set()
    if isinstance(method, ast.AsyncFunctionDef):
        names.asynchronous[method.name].add(owner)
    elif isinstance(method, ast.FunctionDef):
        defined = {method.name}
    elif isinstance(method, ast.Assign):
        defined = {target.id for target in method.targets if isinstance(target, ast.Name)}
    if "__await__" in defined:
        names.awaitable.add(owner)

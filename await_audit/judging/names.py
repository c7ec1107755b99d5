"""What the files of a project say of their classes: hierarchy, type variables, what can be awaited.

Classes are read by pattern and not by parsing: half a million lines take one second so, and ten the
other way. A class is known by its file and its name. A base is looked for in the file itself, then
in the files whose name is that of the module it is imported from, then in all files: where that
relates too many classes, an audit is only more careful. So every word in the brackets of a class
counts as a base, and every other name that a file gives to something stands for it.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Each pattern begins with a fixed word: to look for that is ten times as fast as to try a name at
# every letter of half a million lines.
CLASS = re.compile(r"class[ \t]+(?P<name>\w+)(?P<after>[ \t]*[(\[:\\])")
BRACKET = re.compile(r"[()\[\]{}]|#[^\n]*|\"[^\"\n]*\"|'[^'\n]*'")
WORD = re.compile(r"\b[A-Za-z_]\w*")
TYPE_VARIABLE = re.compile(r"TypeVar\(\s*[\"'](\w+)[\"']")
PARAMETERS = (
    re.compile(r"class[ \t]+\w+\[([^\]]*)\]"),
    re.compile(r"def[ \t]+\w+\[([^\]]*)\]"),
)
IMPORT = re.compile(r"from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n]*)")
IMPORTED = re.compile(r"import[ \t]+([\w., \t]+)")
RENAMED = re.compile(r"(?P<old>\w+)[ \t]+as[ \t]+(?P<new>\w+)")
SECOND_NAME = re.compile(
    r"^[ \t]*(?P<new>[A-Z_]\w*)[ \t]*=[ \t]*(?P<old>[\w.]+)[ \t]*$", re.MULTILINE
)
ABSTRACT = re.compile(
    r"abstractmethod[ \t]*\n(?:[ \t]*@[^\n]*\n)*[ \t]*def[ \t]+(\w+)"
    r"\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*:"
)
LONGEST_LIST = 5000
"""Characters of a list of bases."""

Class = tuple[Path, str]
"""A class by its file and its name."""


@dataclass(slots=True)
class Names:
    """What a set of files says of its classes."""

    awaiting: dict[Path, str] = field(default_factory=dict)
    """The text of the files that `read_methods` is to parse."""
    bases: dict[Class, set[str]] = field(default_factory=lambda: defaultdict(set))
    dynamic: set[Class] = field(default_factory=set)
    """The classes with a base that is computed, or that nothing tells where it comes from."""
    by_name: dict[str, set[Class]] = field(default_factory=lambda: defaultdict(set))
    second: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What other names there are for each name, in any file."""
    imported: dict[Class, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """The bases of a class from other modules: the last part of the module's name, the base's."""
    imports: dict[Path, dict[str, str]] = field(default_factory=dict)
    """The last part of the module that a file imports a name from."""
    type_variables: set[str] = field(default_factory=set)
    awaitable: set[Class] = field(default_factory=set)
    """The classes that define `__await__`."""
    await_is_set: bool = False
    """Whether `__await__` is put on a class from outside."""
    abstract: set[str] = field(default_factory=set)
    """The methods whose abstract definition does not say what they return."""
    neighbours: dict[Class, set[Class]] = field(default_factory=lambda: defaultdict(set))
    """The bases and the derived classes of each class, once they are asked for."""
    derived: dict[Class, set[Class]] = field(default_factory=lambda: defaultdict(set))
    """The derived classes alone."""

    def related(self, one: Class) -> set[Class]:
        """Return the classes that share a hierarchy with this one, itself included.

        Bases that the files do not define connect nothing: `Exception` would relate everything.
        """
        self._connect()
        return _reached(one, self.neighbours)

    def meet(self, one: Class, other: Class) -> bool:
        """Say whether an object may be one of both classes."""
        self._connect()
        return not _reached(one, self.derived).isdisjoint(_reached(other, self.derived))

    def _connect(self) -> None:
        if self.neighbours:
            return
        for derived, bases in self.bases.items():
            for parent in (known for base in bases for known in self._candidates(derived, base)):
                self.neighbours[derived].add(parent)
                self.neighbours[parent].add(derived)
                self.derived[parent].add(derived)

    def close(self, paths: Iterable[Path]) -> None:
        """Follow second names, when all of `paths` are read."""
        for words in self.bases.values():
            todo = list(words)
            while todo:
                new = self.second.get(todo.pop(), set()) - words
                words |= new
                todo.extend(new)
        modules = {name for path in paths for name in (path.stem, path.parent.name)}
        for one, bases in self.imported.items():
            known = (self.by_name.keys() | self.second.keys(), modules)
            if any(source in known[1] and name not in known[0] for source, name in bases):
                self.dynamic.add(one)

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

    def may_have_await(self, name: str, paths: Iterable[Path]) -> bool:
        """Say whether an instance of a class can be awaited; it is in `paths`, or anywhere."""
        if self.await_is_set:
            return True
        near = {(path, name) for path in paths} & self.by_name.get(name, set())
        for one in near or self.by_name.get(name, set()):
            if self.is_protocol(one) or (self.awaitable and self.awaitable & self.related(one)):
                return True
        return False


def _reached(one: Class, edges: Mapping[Class, set[Class]]) -> set[Class]:
    found, todo = {one}, [one]
    while todo:
        new = edges.get(todo.pop(), set()) - found
        found |= new
        todo.extend(new)
    return found


def search_names(texts: Iterable[tuple[Path, str]]) -> Names:
    """Gather the classes of all texts.

    Nothing is parsed, so any thread may do this; `read_methods` has the rest.
    """
    names = Names()
    texts = list(texts)
    for path, text in texts:
        _read_classes(path, text, names)
        names.abstract.update(ABSTRACT.findall(text))
        names.type_variables.update(TYPE_VARIABLE.findall(text))
        for parameters in (found for pattern in PARAMETERS for found in pattern.findall(text)):
            names.type_variables.update(re.findall(r"(?:^|,)\s*\**(\w+)", parameters))
        if "__await__" in text:
            names.awaiting[path] = text
    names.close(path for path, _ in texts)
    return names


def read_methods(names: Names) -> Names:
    """Parse the files that may define `__await__`, and return the same names."""
    for path, text in names.awaiting.items():
        _read_methods(path, text, names)
    names.awaiting.clear()
    return names


def _read_classes(path: Path, text: str, names: Names) -> None:
    if "class " not in text and "class\t" not in text:
        return
    imports = names.imports[path] = {}
    for match in IMPORT.finditer(text):
        module = match["module"].rpartition(".")[2]
        imports |= dict.fromkeys(WORD.findall(match["names"]), module)
        for named in RENAMED.finditer(match["names"]):
            names.second[named["new"]].add(named["old"])
    for named in SECOND_NAME.finditer(text):
        names.second[named["new"]].add(named["old"].rpartition(".")[2])
    plain = set(WORD.findall(" ".join(IMPORTED.findall(text))))
    known = imports.keys() | plain | {match["name"] for match in CLASS.finditer(text)}
    for match in CLASS.finditer(text):
        one = (path, match["name"])
        names.by_name[match["name"]].add(one)
        written = _bases(text, match.end("after") - 1)
        names.bases[one].update(WORD.findall(written))
        bases = [base.strip() for base in _without_brackets(written).split(",")]
        own = [base for base in bases if base and "=" not in base]
        if "(" in written or "*" in written:
            names.dynamic.add(one)
        for base in own:
            first, _, last = base.rpartition(".")
            if not {first.split(".")[0] or last} & known and not hasattr(builtins, base):
                names.dynamic.add(one)
            source = first.rpartition(".")[2] or imports.get(base)
            if source:
                names.imported[one].add((source, last))


def _bases(text: str, start: int) -> str:
    """Return what stands in the brackets of a class, without comments; those of its parameters
    are passed over.
    """
    if text[start] == "[":
        start = _closing(text, start)[0]
        start += len(text[start:]) - len(text[start:].lstrip(" \t"))
    return _closing(text, start)[1] if text[start : start + 1] == "(" else ""


def _closing(text: str, start: int) -> tuple[int, str]:
    """Return the offset behind a bracket's partner, and what stands between, without comments."""
    depth, pieces, last = 0, [], start + 1
    for match in BRACKET.finditer(text, start, start + LONGEST_LIST):
        letter = match[0][0]
        if letter == "#":
            pieces.append(text[last : match.start()])
            last = match.end()
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if not depth:
                pieces.append(text[last : match.start()])
                return match.end(), " ".join(pieces)
    return start + 1, text[start + 1 : start + LONGEST_LIST]


def _without_brackets(written: str) -> str:
    while (shorter := re.sub(r"\[[^\[\]]*\]|\([^()]*\)", "", written)) != written:
        written = shorter
    return written


def _read_methods(path: Path, text: str, names: Names) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(
            "__await__" in _bound(inner) for inner in ast.walk(node)
        ):
            names.awaitable.add((path, node.name))


def _bound(node: ast.AST) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
            return {name}
        case _:
            return set()

"""The files of a project that were not given, and that those which were given import."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from await_audit.checks.mocks import MOCK
from await_audit.files import Files
from await_audit.search_path import Projects

IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]*(\.*)[ \t]*([\w.]*)[ \t]+import\b[ \t]*(\([^)]*\)|[^\n#;]*)"
    r"|import[ \t]+([^\n#;]+))",
    re.MULTILINE,
)
"""An import statement: dots, module and names of one with `from`, or modules."""

DOTTED = re.compile(r"""["']([^\W\d]\w*(?:\.\w+)+)["']""")
"""What a mock may stand for, as `patch` is given it."""


def imported(files: Files, search_path: Sequence[Path]) -> dict[Path, bytes]:
    """Return the content of the files that were not given and that `files` import, also by others.

    They are looked for as the type checkers do it, in `search_path` and in the folders above, but
    not where the whole project was given. Of what cannot be read there is nothing.
    """
    projects, search, given = Projects(), _Search(search_path), set(files.paths)
    found: dict[Path, bytes] = {}
    pending = [
        path
        for path in files.paths
        if (top := projects.top(path.parent)) is None
        or not any(map(top.is_relative_to, files.folders))
    ]
    asked = given | set(pending)
    while pending:
        path = pending.pop()
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if path not in given:
            found[path] = content
        new = set(search.modules(path, content.decode(errors="replace"))) - asked
        asked |= new
        pending += new
    return found


class _Search:
    def __init__(self, search_path: Sequence[Path]) -> None:
        self._search_path = search_path
        self._names: dict[Path, frozenset[str]] = {}

    def modules(self, path: Path, text: str) -> Iterator[Path]:
        """Yield the files that a file may import, and those of the packages that it is in."""
        for folder in path.parents:
            if not self._has(folder, "__init__.py"):
                break
            yield folder / "__init__.py"
        if MOCK in text:
            for dotted in DOTTED.findall(text):
                parts = dotted.split(".")
                for end in range(1, len(parts)):
                    yield from self._anywhere(".".join(parts[:end]), path)
        for dots, module, names, plain in IMPORT.findall(text):
            wanted = _listed(plain) if plain else [module]
            if not plain:
                wanted += [f"{module}.{name}".strip(".") for name in _listed(names.strip("()"))]
            near = path.parents[len(dots) - 1 : len(dots)]
            for name in wanted:
                yield from self._found(name, near) if dots else self._anywhere(name, path)

    def _anywhere(self, name: str, path: Path) -> Iterator[Path]:
        if name.partition(".")[0] not in sys.stdlib_module_names:
            yield from self._found(name, (*self._search_path, *path.parents))

    def _found(self, name: str, starts: Iterable[Path]) -> Iterator[Path]:
        """Yield the file of a module and those of its packages, of the first folder with any."""
        parts = [part for part in name.split(".") if part]
        for start in starts:
            folders = [start.joinpath(*parts[:end]) for end in range(len(parts) + 1)]
            packages = folders[1:] if parts else folders
            found = [one / "__init__.py" for one in packages if self._has(one, "__init__.py")]
            if parts and self._has(folders[-2], f"{parts[-1]}.py"):
                found.append(folders[-2] / f"{parts[-1]}.py")
            if found:
                yield from found
                return

    def _has(self, folder: Path, name: str) -> bool:
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(one.name for one in folder.iterdir())
            except OSError:
                self._names[folder] = frozenset()
        return name in self._names[folder]


def _listed(names: str) -> list[str]:
    """Return the names that an import lists, without comments and the names that they get."""
    plain = re.sub(r"#[^\n]*", "", names)
    return [words[0] for one in plain.split(",") if (words := one.split())]

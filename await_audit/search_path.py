"""The folders that the imports of an audited project start from."""

from __future__ import annotations

import configparser
import os
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

MARKS = ("pyproject.toml", ".git", "setup.py", "setup.cfg")
"""What the top folder of a project holds."""

INI_SECTIONS = {"pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}
"""The files beside pyproject.toml in which pytest looks for its settings, and the section there."""


def search_path(
    root: Path, files: Sequence[Path], environment: Mapping[str, str] = os.environ
) -> tuple[Path, ...]:
    """Return the folders that imports start from, by absolute paths.

    They are the root, those in PYTHONPATH, those in the `pythonpath` of pytest's settings in the
    root and at the top of the projects of `files`, the folders of a `conftest.py`, which pytest
    puts there as well, the folders named `src` that are no packages, there and above `files`, and
    the folders above the packages that `files` belong to.
    """
    given = [Path(entry) for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    tops = Projects().tops(files)
    named = [top / entry for top in (root, *tops) for entry in _of_pytest(top)]
    found = (*_of_conftests(files), *_sources(files, tops), *_above_packages(root, files))
    every = (root, *given, *named, *found)
    absolute = [Path(os.path.abspath(path)) for path in every]  # noqa: PTH100
    return tuple(dict.fromkeys(absolute))


def _of_conftests(files: Iterable[Path]) -> list[Path]:
    folders = (path.parent for path in files if path.name == "conftest.py")
    return sorted(folder for folder in folders if not (folder / "__init__.py").is_file())


class Projects:
    """The top folders of projects: the nearest one above a file."""

    def __init__(self) -> None:
        self._tops: dict[Path, Path | None] = {}

    def top(self, folder: Path) -> Path | None:
        """Return the top of the project that a folder is in, None if there is no sign of one."""
        found, below = None, []
        for one in (folder, *folder.parents):
            if one in self._tops:
                found = self._tops[one]
                break
            below.append(one)
            if any(os.path.exists(one / mark) for mark in MARKS):  # noqa: PTH110
                found = one
                break
        self._tops.update(dict.fromkeys(below, found))
        return found

    def tops(self, files: Iterable[Path]) -> list[Path]:
        """Return the tops of the projects of files, in order."""
        return sorted({top for path in files if (top := self.top(path.parent)) is not None})


class Folders:
    """What stands in folders: each is listed once, and nothing is in one that cannot be."""

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}
        self._modules: dict[Path, frozenset[str]] = {}

    def names(self, folder: Path) -> frozenset[str]:
        """Return the names of the files and folders in a folder."""
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(one.name for one in folder.iterdir())
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder]

    def modules(self, folder: Path) -> frozenset[str]:
        """Return the names that an import may have there: those without what is behind a dot."""
        if folder not in self._modules:
            stems = (name.partition(".")[0] for name in self.names(folder))
            self._modules[folder] = frozenset(stem.removesuffix("-stubs") for stem in stems)
        return self._modules[folder]


def _sources(files: Iterable[Path], tops: Iterable[Path]) -> list[Path]:
    above = {folder for path in files for folder in path.parents if folder.name == "src"}
    above.update(top / "src" for top in tops if os.path.isdir(top / "src"))  # noqa: PTH112
    return sorted(folder for folder in above if not (folder / "__init__.py").is_file())


def _above_packages(root: Path, files: Iterable[Path]) -> list[Path]:
    """Return the folders above packages, each if no other package has the same name.

    The type checker looks above each importing file as well, and finds the right one there.
    """
    tops: dict[str, set[Path]] = defaultdict(set)
    for folder in {path.parent for path in files}:
        top = _above_package(folder)
        if top != folder:
            tops[folder.relative_to(top).parts[0]].add(top)
        elif not folder.is_relative_to(root):
            tops[str(folder)].add(folder)
    return sorted(next(iter(found)) for found in tops.values() if len(found) == 1)


def _above_package(folder: Path) -> Path:
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder = folder.parent
    return folder


def _of_pytest(root: Path) -> list[str]:
    """Return `pythonpath` as pytest's settings in `root` have it; nothing if they cannot be read.

    An import that is not found without it is told as not judged, so that nothing is lost.
    """
    try:
        document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        found = document["tool"]["pytest"]["ini_options"]["pythonpath"]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError):
        found = None
    for name, section in INI_SECTIONS.items():
        if found is None:
            parser = configparser.ConfigParser(interpolation=None)
            try:
                parser.read(root / name, encoding="utf-8")
                found = parser.get(section, "pythonpath")
            except (OSError, UnicodeDecodeError, configparser.Error):
                continue
    entries = found.split() if isinstance(found, str) else found
    return [entry for entry in entries or [] if isinstance(entry, str)]
